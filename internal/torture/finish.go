package torture

import (
	"fmt"
	"slices"
	"strings"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// maxTopics is how many topics one stream has at most.
const maxTopics = 100

// finish waits until all clients have come to the end, which they know by a
// last message of each topic, and one that comes only now, to a hub that only
// now begins: what comes to it is what the store has.
func (r *Run) finish() {
	r.T.Helper()
	r.Ready()
	fresh := r.startHub()
	r.Await("a new hub is ready", fresh.Ready)
	last := map[event.Topic]int{}
	for _, topic := range r.all() {
		last[topic] = r.press.last(topic)
	}
	for topics := range slices.Chunk(r.all(), maxTopics) {
		r.listen(r.ClientAt(fresh), "a newcomer", topics).Late = true
	}
	for _, x := range r.Listeners {
		for _, topic := range x.Topics {
			if !r.comes(func() bool { return x.Passed(last[topic]) }) {
				r.T.Errorf("%s never came to the end of %s", x.Name, topic)
				return
			}
		}
	}
	if n := r.counted("tickertape_panics_total", ""); n > 0 {
		r.T.Errorf("the hubs have caught %.0f panics", n)
	}
}

// leave ends all clients.
func (r *Run) leave() {
	for _, x := range r.Listeners {
		x.Stop()
	}
}

// judge returns what went wrong.
func (r *Run) judge(c Case) referee.Verdict {
	allowed := referee.Gaps{}
	for _, topic := range r.all() {
		allowed[topic] = c.Loss
	}
	v := referee.Judge(r.Ledger, r.Listeners, allowed)
	for _, x := range r.Listeners {
		for reason, count := range x.Gaps() {
			if !slices.Contains(c.reasons(), reason) {
				v.Other += count
				v.Faults = append(v.Faults, fmt.Sprintf("%s: %d gaps for the reason %s", x.Name, count, reason))
			}
		}
	}
	return v
}

// report fills in what can be told of a run at any time.
func (r *Run) report(row *Row) {
	if r.notes != nil {
		row.Fault += ": " + strings.Join(r.notes, "; ")
	}
	tally := r.Ledger.Tally()
	row.Published, row.NotStored, row.Unknown = tally.Acknowledged, tally.NotStored, tally.Unknown
	row.Gaps, row.Answers = map[event.Reason]int{}, r.press.answers()
	for _, x := range r.Listeners {
		row.Delivered += x.Events()
		row.Reconnects += max(0, x.Opens()-1)
		row.Silence = max(row.Silence, x.Silence())
		for reason, count := range x.Gaps() {
			row.Gaps[reason] += count
		}
	}
	r.found.report(row)
}
