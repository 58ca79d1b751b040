package torture_test

import (
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
	"tickertape/internal/torture"
)

func TestRow(t *testing.T) {
	t.Parallel()
	row := torture.Row{Name: "x", Fault: "all of it", Seed: 7, Published: 10, Delivered: 20, Silence: 1500 * time.Millisecond}
	if got, want := row.String(), "| `x` | all of it | 10 | 20 | 0 | 0 | 0 | 0 | 1.5 s | nothing |\n"; got != want || row.Err() != nil {
		t.Errorf("got %q, %v; want %q", got, row.Err(), want)
	}
	row.Gaps, row.Answers = map[event.Reason]int{"trimmed": 2, "expired": 1}, map[int]int{503: 4, 0: 3}
	row.Reconnects, row.NotStored, row.Unknown, row.Stuck = 5, 6, 7, []string{"no end"}
	row.Verdict = referee.Verdict{Lost: 1, Doubled: 2, Disordered: 3, FalseGaps: 4, Other: 5, Faults: []string{"one", "two"}}
	if got, want := row.String(), "| `x` | all of it | 10 | 20 | 1 | 2 | 3 | 4 | 1.5 s | 1 × `expired`, 2 × `trimmed`, 5 reconnects, 3 publishes without an answer, 4 publishes answered 503, 6 messages not stored, 7 messages unknown, **5 other faults**, **no end** |\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := row.Err().Error(), "no end\none\ntwo\nagain: make torture CASE=x SEED=7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if cells := strings.Count(torture.Header, "|"); cells != 2*strings.Count(row.String(), "|") {
		t.Errorf("the head has %d cells", cells)
	}
}

func TestFound(t *testing.T) {
	t.Parallel()
	row := torture.Row{Name: "x", Stuck: []string{"no hub began"}}
	if row.Err() == nil || row.Found() != nil {
		t.Errorf("a run that never began went wrong: %v, and shows: %v", row.Err(), row.Found())
	}
	if row.Published = 1; row.Found() == nil {
		t.Error("a run that began, and never ended, shows nothing")
	}
}

func TestCases(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range torture.Cases() {
		if names[c.Name] || c.Name == "" || strings.ContainsAny(c.Name, ", ") || c.Fault == "" || c.Do == nil {
			t.Errorf("%q is no name of a case, or has no fault", c.Name)
		}
		names[c.Name] = true
	}
}
