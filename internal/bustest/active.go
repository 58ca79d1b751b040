package bustest

import (
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

func active(t *testing.T, bus hub.Bus, match string, since event.Position, limit int) event.Activity {
	t.Helper()
	a, err := bus.Active(t.Context(), selector(t, match), since, limit)
	if err != nil {
		t.Fatalf("active: %v", err)
	}
	if clock, err := bus.Clock(t.Context()); err != nil || a.Epoch != clock.Epoch {
		t.Fatalf("read in the epoch %v, the clock is in %v (%v)", a.Epoch, clock.Epoch, err)
	}
	slices.Sort(a.Topics)
	if len(slices.Compact(slices.Clone(a.Topics))) != len(a.Topics) {
		t.Fatalf("a topic comes twice: %v", a.Topics)
	}
	return a
}

// activeTopics: those with something behind a position are always there; one
// with something in the same millisecond may be.
func activeTopics(t *testing.T, open Open) {
	bus := open(t, wide())()
	follow(t, bus) // so that the clock goes on
	publish(t, bus, message("a.1", "x"), message("a.2", "x"), message("b.1", "x"))
	first := now(t, bus)
	eventually(t, "it is another millisecond", func() bool { return now(t, bus).MS > first.MS })
	late := publish(t, bus, message("a.2", "y"), set("table.a", "k", "v"), end("a.3", event.Completed), message("ephemeral.a", "x"))
	for _, c := range []struct {
		match string
		since event.Position
		want  []event.Topic
	}{
		{"**", event.Position{}, []event.Topic{"a.1", "a.2", "a.3", "b.1", "table.a"}},
		{"a.*", event.Position{}, []event.Topic{"a.1", "a.2", "a.3"}},
		{"**", first.Add(time.Millisecond).Previous(), []event.Topic{"a.2", "a.3", "table.a"}},
		{"b.*", late[3].Cursor.Position.Add(time.Second), nil},
	} {
		a := active(t, bus, c.match, c.since, 10)
		equal(t, c.match, a.Topics, c.want)
		if !a.Forgotten.IsZero() {
			t.Errorf("nothing was dropped, but %v is forgotten", a.Forgotten)
		}
	}
	if a := active(t, bus, "**", event.Position{}, 2); len(a.Topics) != 2 {
		t.Errorf("at most 2 are %v", a.Topics)
	}
}

// forgottenActivity: of topics that were dropped, only their newest position is known.
func forgottenActivity(t *testing.T, open Open) {
	limits := wide()
	limits.Age = time.Second
	bus := open(t, limits)()
	follow(t, bus) // books are swept while a feed runs
	last := publish(t, bus, message("a", "x"), set("table.a", "k", "v"), message("ephemeral.a", "x"))[1]
	eventually(t, "all is forgotten", func() bool { return len(active(t, bus, "**", event.Position{}, 10).Topics) == 0 })
	if a := active(t, bus, "b.*", event.Position{}, 10); a.Forgotten != last.Cursor.Position {
		t.Errorf("%v is forgotten, want %v", a.Forgotten, last.Cursor.Position)
	}
}
