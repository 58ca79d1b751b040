//go:build linux

package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tickertape/bench/internal/cases"
)

// About says how results came about.
type About struct {
	Machine  string
	Versions []string
	Command  string
	Rounds   int
	Size     cases.Size
}

const picture = "results.svg"

// Write writes RESULTS.md and the picture into a folder.
func Write(folder string, results []cases.Result, a About) error {
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "RESULTS.md"), []byte(Page(results, a)), 0o644),
		os.WriteFile(filepath.Join(folder, picture), Picture(results), 0o644),
	)
}

// Page returns the results as a page.
func Page(results []cases.Result, a About) string {
	var b strings.Builder
	b.WriteString("# What an event costs\n\n")
	fmt.Fprintf(&b, "Written by `%s`. Absolute numbers are this machine's alone: trust ratios.\n\n", a.Command)
	fmt.Fprintf(&b, "![The figures below as bars](%s)\n\n", picture)
	fmt.Fprintf(&b, "- %s. The server, with its Redis, has one core to itself, the tool another one.\n", a.Machine)
	fmt.Fprintf(&b, "- %d rounds of %v each, the servers in turn, each started anew: the median, and the least and the most of all rounds.\n", a.Rounds, a.Size.Time)
	if a.Size.Share < 1 {
		fmt.Fprintf(&b, "- A trial with %.0f %% of the connections and topics: no measurement.\n", 100*a.Size.Share)
	}
	b.WriteString("- The hub runs by its defaults. The floor (`bench/floor`) is a C loop of one `send()` for each subscriber and message;\n" +
		"  it has no Redis. Nchan runs in nginx with one worker, long keep-alive, no pings, a buffer of 1,000 messages.\n" +
		"- CPU is what the kernel counts for the server's processes, its share of the network with it; Redis' apart.\n" +
		"  Memory is PSS. Latency is from the publisher's write to the reader's read, by one clock.\n" +
		"- Every subscriber checks each event: none lost, none twice, all in order, and in the same order as its neighbours.\n" +
		"- \"The tool's core\" near 100 % means that the reader held the server up.\n")
	for _, v := range a.Versions {
		fmt.Fprintf(&b, "- %s\n", v)
	}
	b.WriteString("\n" + Tables(results))
	return strings.TrimRight(b.String(), "\n") + "\n"
}
