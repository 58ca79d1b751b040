package torture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// Row is what became of a run.
type Row struct {
	Name, Fault string
	Seed        uint64
	Again       string // how to have it again, if not as make torture has it

	Published int // acknowledged
	Delivered int // to all clients together
	referee.Verdict
	Silence time.Duration // the longest of any client, while there was publishing

	// What publishers and clients were told.
	Gaps       map[event.Reason]int
	Reconnects int
	Answers    map[int]int // to publishes, of those that were not 200, by status; 0: none came
	NotStored  int         // messages that are not stored, as their publishers know
	Unknown    int         // messages of which their publishers do not know

	Took  time.Duration
	Stuck []string // what kept the run from its end
	Log   string   // what programs said, if it did not come to its end
}

// Err returns what is wrong with the run: its worst faults in words, and how
// to have it again.
func (r *Row) Err() error {
	if r.Clean() && len(r.Stuck) == 0 {
		return nil
	}
	lines := slices.Concat(r.Stuck, r.Faults[:min(len(r.Faults), 20)])
	lines = append(lines, "again: "+cmp.Or(r.Again, fmt.Sprintf("make torture CASE=%s SEED=%d", r.Name, r.Seed)))
	return errors.New(strings.Join(lines, "\n"))
}

// Found returns the same of a run that came to anything: a cluster that never
// came up, on a busy machine, shows nothing of its hubs.
func (r *Row) Found() error {
	if r.Published == 0 {
		return nil
	}
	return r.Err()
}

// Header is the head of a table of rows, in Markdown.
const Header = "| case | fault | published | delivered | lost without notice | doubled | out of order | false gaps | longest silence | what clients and publishers were told |\n" +
	"| --- | --- | --: | --: | --: | --: | --: | --: | --: | --- |\n"

// String returns the row as a line of that table.
func (r *Row) String() string {
	return fmt.Sprintf("| `%s` | %s | %d | %d | %d | %d | %d | %d | %.1f s | %s |\n", r.Name, r.Fault, r.Published, r.Delivered,
		r.Lost, r.Doubled, r.Disordered, r.FalseGaps, r.Silence.Seconds(), r.told())
}

func (r *Row) told() string {
	var words []string
	for _, reason := range slices.Sorted(maps.Keys(r.Gaps)) {
		words = append(words, fmt.Sprintf("%d × `%s`", r.Gaps[reason], reason))
	}
	if r.Reconnects > 0 {
		words = append(words, fmt.Sprintf("%d reconnects", r.Reconnects))
	}
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		if status == 0 {
			words = append(words, fmt.Sprintf("%d publishes without an answer", r.Answers[status]))
		} else {
			words = append(words, fmt.Sprintf("%d publishes answered %d", r.Answers[status], status))
		}
	}
	if r.NotStored > 0 {
		words = append(words, fmt.Sprintf("%d messages not stored", r.NotStored))
	}
	if r.Unknown > 0 {
		words = append(words, fmt.Sprintf("%d messages unknown", r.Unknown))
	}
	if r.Other > 0 {
		words = append(words, fmt.Sprintf("**%d other faults**", r.Other))
	}
	if len(r.Stuck) > 0 {
		words = append(words, "**"+r.Stuck[0]+"**")
	}
	if words == nil {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
