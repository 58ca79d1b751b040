package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// closed awaits that an answer's readers were told that nothing follows, looks
// whether the topic takes a message all the same, and notes what went wrong;
// nothing if:
//
//   - Every line that was acknowledged, or came to anybody, came to each reader,
//     once, in order, and at one place. Where the store may lose something, what
//     is missing lies behind what came before a gap.
//   - There is one end, with this status, at the same place for all readers and
//     in the history, and nothing behind it.
//   - Whoever publishes to the topic now is answered 409, with this status.
//
// It returns when the last line and the end were taken, by the store's clock.
func (a *answer) closed(want event.Status, loss referee.Loss) (last, end time.Time) {
	r := a.run
	r.T.Helper()
	if !r.comes(a.over) {
		r.T.Fatalf("the readers of %s never came to its end, %s", a.topic, want)
	}
	a.knock(want)
	_, taken, _ := a.producer.state()
	q := &inquest{lossy: loss != referee.NoLoss, upto: taken, at: map[int]event.Cursor{}}
	history, delivered := a.history(), 0
	for _, n := range history {
		q.upto = max(q.upto, n.line+1)
	}
	for _, x := range a.readers {
		delivered += len(x.list())
		for _, n := range x.list() {
			q.upto = max(q.upto, n.line+1)
		}
	}
	for _, x := range a.readers {
		q.hear(x.name, x.list(), false)
	}
	q.hear(fmt.Sprintf("the history of %s", a.topic), history, true)
	if q.status != "" && q.status != want {
		q.Fault(&q.Other, "%s ended as %s, not as %s", a.topic, q.status, want)
	}
	r.found.add(q.Verdict, taken, delivered)
	return q.last, q.ended.Position.Time()
}

// inquest finds out what became of an answer.
type inquest struct {
	referee.Verdict
	lossy bool
	upto  int // lines that have to be there

	at     map[int]event.Cursor // where the lines stand
	last   time.Time            // of the last line that anybody has
	ended  event.Cursor
	status event.Status
}

// hearing is what one of the readers had. The history is one of them, which
// says no gaps.
type hearing struct {
	*inquest
	who     string
	had     map[int]int // at which place of the list each line came, the first time
	list    []note
	history bool
	highest int // line
	gap     int // the place of the last one; -1: there is none
	ends    int
}

// hear looks at what one of the readers had.
func (q *inquest) hear(who string, list []note, history bool) {
	h := &hearing{inquest: q, who: who, had: map[int]int{}, list: list, history: history, highest: -1, gap: -1}
	for i, n := range list {
		if i > 0 && !q.after(n, list[i-1]) {
			q.Fault(&q.Disordered, "%s: %v came behind %v", who, n, list[i-1])
		}
		switch {
		case n.isGap():
			h.gap = i
			if !q.lossy {
				q.Fault(&q.FalseGaps, "%s: a gap at %v", who, n.at.Position)
			}
		case n.end != "":
			h.end(n)
		case h.ends > 0:
			q.Fault(&q.Other, "%s: line %d stands behind the end", who, n.line)
		default:
			h.line(i, n)
		}
	}
	h.complete()
}

// after reports whether one note stands after another. What the store lost last
// may be what the reader had last: so a gap may stand at the very place.
func (q *inquest) after(n, before note) bool {
	p, c := n.at, before.at
	switch {
	case q.lossy && p.Epoch != c.Epoch:
		return p.Epoch.Number > c.Epoch.Number
	case q.lossy && n.isGap():
		return !c.Position.After(p.Position)
	}
	return p.Position.After(c.Position) && p.Epoch.Number >= c.Epoch.Number
}

// line looks at a line that came at a place of the list. What the store lost
// before its producer had an answer comes again, in another epoch.
func (h *hearing) line(i int, n note) {
	again := func(c event.Cursor) bool { return h.lossy && c.Epoch != n.at.Epoch }
	first, twice := h.had[n.line]
	place, known := h.at[n.line]
	switch {
	case twice && !again(h.list[first].at):
		h.Fault(&h.Doubled, "%s: line %d came twice", h.who, n.line)
	case known && place != n.at && !again(place):
		h.Fault(&h.Doubled, "%s: line %d stands at %v, and at %v for others", h.who, n.line, n.at.Position, place.Position)
	case n.line < h.highest && !h.lossy:
		h.Fault(&h.Disordered, "%s: line %d came behind line %d", h.who, n.line, h.highest)
	}
	if !twice {
		h.had[n.line] = i
	}
	h.highest, h.at[n.line] = max(h.highest, n.line), n.at
	if at := n.at.Position.Time(); at.After(h.last) {
		h.last = at
	}
}

// end looks at an end.
func (h *hearing) end(n note) {
	h.ends++
	if h.status != "" && (h.status != n.end || h.ended != n.at) {
		h.Fault(&h.Doubled, "%s: it ended as %s at %v, and for others as %s at %v", h.who, n.end, n.at.Position, h.status, h.ended.Position)
	}
	h.status, h.ended = n.end, n.at
}

// complete looks for what did not come.
func (h *hearing) complete() {
	switch {
	case h.ends == 0:
		h.Fault(&h.Lost, "%s: it has no end", h.who)
	case h.ends > 1:
		h.Fault(&h.Doubled, "%s: it has %d ends", h.who, h.ends)
	}
	if h.lossy && h.history {
		return
	}
	before := -1
	for line := range h.upto {
		i, ok := h.had[line]
		switch {
		case ok:
			before = i
		case h.gap <= before:
			h.Fault(&h.Lost, "%s: line %d is missing", h.who, line)
		}
	}
}

// knock publishes to the topic at each hub.
func (a *answer) knock(want event.Status) {
	r := a.run
	client := r.plain()
	for _, h := range r.Hubs {
		var status int
		var answer said
		r.Await("a message to a topic that has ended is answered", func() bool {
			status, answer = post(r, client, fmt.Sprintf("http://%s/publish?topic=%s", h.Addr, a.topic), "knock")
			return status != 0 && status != http.StatusServiceUnavailable
		})
		if status != http.StatusConflict || answer.TopicStatus != want {
			r.found.odd("a message to %s, which has ended as %s, was answered %d, topic_status %q", a.topic, want, status, answer.TopicStatus)
		}
	}
}

// post makes a request. Without an answer the status is 0.
func post(r *Run, client *http.Client, url, body string) (status int, answer said) {
	request, err := http.NewRequestWithContext(r.T.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, answer
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, answer
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, answer
	}
	return response.StatusCode, answer
}

// history returns what a hub says to be there, at one time.
func (a *answer) history() []note {
	r, x := a.run, &reader{}
	odd := func(format string, args ...any) {
		r.found.odd("the history of %s: %s", a.topic, fmt.Sprintf(format, args...))
	}
	client, hub := r.plain(), r.AnyHub()
	var page struct {
		Messages []event.Envelope
		More     bool
		Next     string
	}
	for since := "all"; ; since = page.Next {
		page.Messages = nil
		r.Await("a page of the history", func() bool {
			response, err := client.Get(fmt.Sprintf("http://%s/topics/%s/messages?limit=1000&since=%s", hub.Addr, a.topic, since))
			if err != nil {
				return false
			}
			defer func() { _ = response.Body.Close() }()
			return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&page) == nil
		})
		for _, e := range page.Messages {
			text, err := e.Text()
			if err != nil {
				odd("%v", err)
			}
			x.add(e.ID, e.Event, []byte(text.Text), odd)
		}
		if !page.More {
			return x.notes
		}
	}
}

// statusIn reads the status that the data of an end says; empty if it says none.
func statusIn(data []byte) event.Status {
	var end struct{ Status event.Status }
	if err := json.Unmarshal(data, &end); err != nil {
		return ""
	}
	return end.Status
}
