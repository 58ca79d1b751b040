package membus

import (
	"slices"
	"time"

	"tickertape/internal/event"
)

// table is what a topic of KindLatest knows beyond its entries.
type table struct {
	newest map[string]event.Position // of each key; those that were deleted too
	nulls  []event.Position          // of the events that deleted their key, oldest first
}

// slotCost is about what a key's place in a table takes.
const slotCost = 100

func (t *table) keys() int { return len(t.newest) - len(t.nulls) }

// slot returns the entry of a key's newest event; an empty one if the key has
// none.
func (t *topic) slot(key string) *entry {
	at, ok := t.table.newest[key]
	if !ok {
		return &entry{}
	}
	return &t.entries()[t.behind(at.Previous())]
}

// supersede makes room for a key's next event and returns the bytes let go.
func (t *topic) supersede(e event.Event) (freed int) {
	if t.table.newest == nil {
		t.table.newest = map[string]event.Position{}
	}
	freed = t.remove(e.Key)
	t.table.newest[e.Key] = e.Position
	if e.Deletes() {
		t.table.nulls = append(t.table.nulls, e.Position)
	}
	return freed
}

// remove empties a key's entry, if there is one, and returns the bytes let go.
func (t *topic) remove(key string) (freed int) {
	old := t.slot(key)
	if old.empty() {
		return 0
	}
	at := old.event.Position
	if i, ok := slices.BinarySearchFunc(t.table.nulls, at, event.Position.Compare); ok {
		t.table.nulls = slices.Delete(t.table.nulls, i, i+1)
	}
	freed = old.size
	*old = entry{event: event.Event{Position: at}}
	t.out++
	t.weight -= freed
	delete(t.table.newest, key)
	t.compact()
	return freed
}

// forget lets go of the oldest event that deleted a key, and of the bytes
// that it takes.
func (t *topic) forget(gone event.Gap) (freed int) {
	t.gone = gone
	return t.remove(t.entries()[t.behind(gone.Position.Previous())].event.Key)
}

// trimTable keeps no more deletions than the rule allows keys.
func (t *topic) trimTable(clock event.Position) (freed int) {
	for len(t.table.nulls) > t.rule.Keys {
		freed += t.forget(event.Gap{Position: t.table.nulls[0], Since: clock, Reason: event.Trimmed})
	}
	return freed
}

// expireTable lets go of old deletions, and of all once the newest event is
// too old.
func (t *topic) expireTable(limit event.Position, age time.Duration) (freed int) {
	if t.len() > 0 && !t.last.After(limit) {
		freed = t.weight
		t.gone = expired(t.last, age)
		t.kept, t.head, t.out, t.weight, t.table = nil, 0, 0, 0, table{}
		return freed
	}
	for len(t.table.nulls) > 0 && !t.table.nulls[0].After(limit) {
		freed += t.forget(expired(t.table.nulls[0], age))
	}
	return freed
}
