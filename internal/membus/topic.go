package membus

import (
	"sort"
	"time"

	"tickertape/internal/event"
)

// topic is what is kept of one topic: its newest events, oldest first.
type topic struct {
	name   event.Topic
	last   event.Position // of the newest event ever
	gone   event.Gap      // about the newest event that is not kept any more
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

// newTopic returns a topic of which the store knows nothing. Up to the
// forgotten position there may have been events that have all expired.
func newTopic(name event.Topic, forgotten event.Position, age time.Duration) *topic {
	return &topic{name: name, last: forgotten, gone: expired(forgotten, age)}
}

// expired returns the gap that an event leaves when it gets too old.
func expired(p event.Position, age time.Duration) event.Gap {
	return event.Gap{Position: p, Since: p.Add(age), Reason: event.Expired}
}

// trim cuts off what is over the limits and returns the bytes let go. The
// newest event always stays.
func (t *topic) trim(limit event.Retention, clock event.Position) (freed int) {
	for t.len() > limit.Messages || t.weight > limit.Bytes && t.len() > 1 {
		freed += t.drop(event.Gap{Position: t.oldest(), Since: clock, Reason: event.Trimmed})
	}
	return freed
}

// excess returns how many of the bytes kept now would be cut off if so many
// messages with so many bytes came.
func (t *topic) excess(messages, bytes int, limit event.Retention) (freed int) {
	messages += t.len()
	bytes += t.weight
	for _, e := range t.entries() {
		if messages <= limit.Messages && bytes <= limit.Bytes {
			break
		}
		freed += e.size
		messages--
		bytes -= e.size
	}
	return freed
}

// expire cuts off the events that are too old and returns the bytes let go.
func (t *topic) expire(now time.Time, age time.Duration) (freed int) {
	for limit := event.Before(now.Add(-age)); t.len() > 0 && !t.oldest().After(limit); {
		freed += t.drop(expired(t.oldest(), age))
	}
	return freed
}

// oldest returns the position of the oldest event that is kept.
func (t *topic) oldest() event.Position { return t.kept[t.head].event.Position }

func (t *topic) drop(gone event.Gap) int {
	t.gone = gone
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

// page reads a range.
func (t *topic) page(r event.Range) event.Page {
	kept := t.entries()
	from, to := t.behind(r.After), t.behind(r.Upto)
	if to < from {
		to = from
	}
	if r.Last > 0 && to-from > r.Last {
		from = to - r.Last
		r.After = kept[from].event.Prev
	}
	page := event.Page{After: r.After, Upto: r.Upto}

	if t.gone.Position.After(r.After) {
		page.Gaps = []event.Gap{t.gone}
		if t.gone.Position.After(r.Upto) {
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
