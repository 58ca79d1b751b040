package membus

import (
	"sort"
	"time"

	"tickertape/internal/event"
)

// topic is what is kept of one topic: its newest events, or those of a table
// that no newer one supersedes, oldest first.
type topic struct {
	name   event.Topic
	rule   event.Rule
	life   event.Position // of its first event; zero: it had none yet
	last   event.Position // of the newest event ever
	gone   event.Gap      // about the newest event that is not kept any more
	kept   []entry        // kept[:head] is cut off
	head   int
	out    int // so many of the others are empty
	weight int // bytes of what is kept
	table  table
	end    *event.Event // nil while it lives
	leased
}

// entry is an event that is kept. An empty one has nothing but the position of
// one that was superseded.
type entry struct {
	event event.Event
	size  int
}

func (e entry) empty() bool { return e.size == 0 }

// entryCost is about what an entry takes besides its texts.
const entryCost = 200

func size(e event.Event) int {
	cost := entryCost + len(e.Name) + len(e.Key) + len(e.Data.Text)
	if e.Kind == event.KindLatest {
		cost += slotCost
	}
	return cost
}

// newTopic returns a topic of which the store knows nothing. Up to the
// forgotten position there may have been events that have all expired.
func newTopic(name event.Topic, rule event.Rule, forgotten event.Position, age time.Duration) *topic {
	return &topic{name: name, rule: rule, last: forgotten, gone: expired(forgotten, age)}
}

// expired returns the gap that an event leaves when it gets too old.
func expired(p event.Position, age time.Duration) event.Gap {
	return event.Gap{Position: p, Since: p.Add(age), Reason: event.Expired}
}

// overhead is about what the topic takes besides its entries.
func (t *topic) overhead() int { return 300 + len(t.name) }

// endSize is what the end takes that may come by itself. A topic that is leased
// has so much reserved.
func (t *topic) endSize() int {
	return size(event.NewEnd(t.name, t.rule.Kind, event.ProducerLost))
}

func (t *topic) len() int { return len(t.kept) - t.head - t.out }

func (t *topic) entries() []entry { return t.kept[t.head:] }

// append adds the topic's next event and returns the bytes that this takes.
func (t *topic) append(e event.Event) (added int) {
	if t.rule.Kind == event.KindLatest && e.End == "" {
		added -= t.supersede(e)
	}
	if t.life.IsZero() {
		t.life = e.Position
	}
	if e.End != "" {
		t.end = &e
	}
	t.kept = append(t.kept, entry{e, size(e)})
	t.last = e.Position
	t.weight += size(e)
	return added + size(e)
}

// trim cuts off what is over the limits and returns the bytes let go. The
// newest event always stays.
func (t *topic) trim(limit event.Retention, clock event.Position) (freed int) {
	if t.rule.Kind == event.KindLatest {
		return t.trimTable(clock)
	}
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
	limit := event.Before(now.Add(-age))
	if t.rule.Kind == event.KindLatest {
		return t.expireTable(limit, age)
	}
	for t.len() > 0 && !t.oldest().After(limit) {
		freed += t.drop(expired(t.oldest(), age))
	}
	return freed
}

// oldest returns the position of a log's oldest event that is kept.
func (t *topic) oldest() event.Position { return t.kept[t.head].event.Position }

// drop cuts a log's oldest event off.
func (t *topic) drop(gone event.Gap) int {
	t.gone = gone
	size := t.kept[t.head].size
	t.kept[t.head] = entry{}
	t.head++
	t.weight -= size
	t.compact()
	return size
}

// compact lets go of what is cut off or empty once that is the larger part.
func (t *topic) compact() {
	if t.head+t.out <= len(t.kept)/2 {
		return
	}
	kept := make([]entry, 0, t.len())
	for _, e := range t.entries() {
		if !e.empty() {
			kept = append(kept, e)
		}
	}
	t.kept, t.head, t.out = kept, 0, 0
}

// behind returns the number of the first entry behind p.
func (t *topic) behind(p event.Position) int {
	kept := t.entries()
	return sort.Search(len(kept), func(i int) bool { return kept[i].event.Position.After(p) })
}

func (t *topic) info(epoch event.Epoch) event.TopicInfo {
	info := event.TopicInfo{Topic: t.name, Kind: t.rule.Kind, Retained: t.len(),
		Last: event.Cursor{Epoch: epoch, Position: t.last}}
	if t.end != nil {
		info.Status = t.end.End
	}
	for _, e := range t.entries() {
		if !e.empty() {
			info.First = e.event.Cursor()
			break
		}
	}
	return info
}
