package membus

import (
	"sort"

	"tickertape/internal/event"
)

// topic is what is kept of one topic: its newest events, oldest first.
type topic struct {
	name   event.Topic
	last   event.Position // of the newest event ever
	kept   []entry        // kept[:head] is cut off
	head   int
	weight int // bytes of what is kept
}

type entry struct {
	event event.Event
	size  int
}

// entryCost is about what an entry takes besides its texts.
const entryCost = 200

func size(m event.Message) int {
	return entryCost + len(m.Name) + len(m.Key) + len(m.Data.Text)
}

func topicCost(name event.Topic) int { return 200 + len(name) }

func (t *topic) overhead() int { return topicCost(t.name) }

func (t *topic) len() int { return len(t.kept) - t.head }

func (t *topic) entries() []entry { return t.kept[t.head:] }

// append adds the topic's next event and returns the bytes it takes.
func (t *topic) append(e event.Event, size int) int {
	t.kept = append(t.kept, entry{e, size})
	t.last = e.Position
	t.weight += size
	return size
}

// trim cuts off what is over the limits and returns the bytes let go. The
// newest event always stays.
func (t *topic) trim(limit event.Retention) (freed int) {
	for t.len() > limit.Messages || t.weight > limit.Bytes && t.len() > 1 {
		freed += t.drop()
	}
	return freed
}

// expire cuts off the events up to oldest and returns the bytes let go.
func (t *topic) expire(oldest event.Position) (freed int) {
	for t.len() > 0 && !t.kept[t.head].event.Position.After(oldest) {
		freed += t.drop()
	}
	return freed
}

func (t *topic) drop() int {
	size := t.kept[t.head].size
	t.kept[t.head] = entry{}
	t.head++
	t.weight -= size
	if t.head > len(t.kept)/2 {
		t.kept = append([]entry(nil), t.kept[t.head:]...)
		t.head = 0
	}
	return size
}

// behind returns the number of the first entry behind p.
func (t *topic) behind(p event.Position) int {
	kept := t.entries()
	return sort.Search(len(kept), func(i int) bool { return kept[i].event.Position.After(p) })
}

// page reads a range. Events up to oldest are over the age limit.
func (t *topic) page(r event.Range, oldest event.Position) event.Page {
	kept := t.entries()
	from, to := t.behind(r.After), t.behind(r.Upto)
	if to < from {
		to = from
	}
	if r.Last > 0 {
		from = max(from, to-r.Last)
		if r.After = r.Upto; from < to {
			r.After = kept[from].event.Prev
		}
	}
	page := event.Page{After: r.After, Upto: r.Upto}

	// What stood right before the first entry that is left: if the reader
	// is not complete up to there, it is gone.
	lost := t.last
	if from < len(kept) {
		lost = kept[from].event.Prev
	}
	if r.Last == 0 && lost.After(r.After) {
		reason := event.Trimmed
		if !lost.After(oldest) {
			reason = event.Expired
		}
		page.Gaps = []event.Gap{{Position: lost, Reason: reason}}
		if lost.After(r.Upto) {
			page.Upto = r.After
			return page
		}
	}
	bytes := 0
	for i, e := range kept[from:to] {
		if r.Limit > 0 && i == r.Limit || r.Bytes > 0 && bytes >= r.Bytes {
			page.Upto = page.Events[i-1].Position
			break
		}
		page.Events = append(page.Events, e.event)
		bytes += len(e.event.Data.Text)
	}
	return page
}

func (t *topic) info(epoch event.Epoch) event.TopicInfo {
	info := event.TopicInfo{Topic: t.name, Retained: t.len(), Last: event.Cursor{Epoch: epoch, Position: t.last}}
	if t.len() > 0 {
		info.First = t.kept[t.head].event.Cursor()
	}
	return info
}
