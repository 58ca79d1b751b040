//go:build unix

package main_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What 1,000 clients that have stopped reading may cost: the others' 99th
// percentile by this factor, and of the hub's memory so much for each.
const (
	maxSlower     = 1.2
	maxStalledKiB = 256
)

// maxStolen is the share of the machine's time that its host may give to others
// in a round that counts.
const maxStolen = 0.01

// TestIsolation publishes to readers, in turn without and with clients beside
// them, on the same topics, that opened a stream and never read: those take
// nothing while the others get every message, about as soon as without them,
// and each costs bounded memory. Its short form, which runs with all tests,
// looks at no times and no memory; the full one runs by "make isolation".
func TestIsolation(t *testing.T) {
	readers, stalled, rounds, tries, span := 200, 50, 1, 1, 2*time.Second
	full := os.Getenv("ISOLATION_ROUNDS")
	if full != "" {
		n, err := strconv.Atoi(full)
		if err != nil || n < 1 {
			t.Fatalf("ISOLATION_ROUNDS is %q", full)
		}
		readers, stalled, rounds, tries, span = 1000, 1000, n, 8, 20*time.Second
	}
	var without, with []isolation
	for round := range rounds {
		for i := range 2 {
			if (round+i)%2 == 0 {
				without = append(without, undisturbed(t, tries, readers, 0, span))
			} else {
				with = append(with, undisturbed(t, tries, readers, stalled, span))
			}
		}
	}
	p99 := func(i isolation) time.Duration { return i.p99 }
	parts := func(i isolation) time.Duration { return i.parts }
	grown := func(i isolation) int { return i.grown }
	slower := float64(median(with, p99)) / float64(median(without, p99))
	each := (median(with, grown) - median(without, grown)) / stalled
	t.Logf("medians of %d rounds: p99 %v alone, %v beside %d stalled clients: %.2f times (by parts of %v: %v, %v); each of them costs %d KiB",
		rounds, median(without, p99), median(with, p99), stalled, slower, part, median(without, parts), median(with, parts), each)
	if full != "" && slower > maxSlower {
		t.Errorf("the p99 beside stalled clients is %.2f times the one without, over %v", slower, maxSlower)
	}
	if full != "" && each > maxStalledKiB {
		t.Errorf("a stalled client costs %d KiB, over %d", each, maxStalledKiB)
	}
}

// isolation is what a round has measured.
type isolation struct {
	p99   time.Duration // of all deliveries
	parts time.Duration // the p99 of the median part: a machine that was busy for a while shows in p99 alone
	grown int           // the most that the hub's memory grew by after the readers had their streams, in KiB
	share float64       // of the machine's time that its host gave to others
}

// part is how long the messages of one number take.
const part = time.Second * loadTopics / loadRate

func median[R any, T cmp.Ordered](rounds []R, of func(R) T) T {
	values := make([]T, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// undisturbed measures a round, and again if the machine's host gave much of
// its time to others: that says nothing of the hub. The last try counts as it
// is.
func undisturbed(t *testing.T, tries, readers, stalled int, span time.Duration) (sum isolation) {
	t.Helper()
	for range tries {
		if sum = isolate(t, readers, stalled, span); sum.share <= maxStolen {
			break
		}
	}
	return sum
}

// isolate measures one round, of a hub of its own over a Redis of its own.
func isolate(t *testing.T, readers, stalled int, span time.Duration) (sum isolation) {
	t.Helper()
	t.Run(fmt.Sprint(stalled, " stalled"), func(t *testing.T) {
		hub := startProcess(t, "shared")
		total := int(span.Seconds()) * loadRate / loadTopics // of each topic
		all := hub.openReaders(readers, total)
		rss := hub.memory("VmRSS")
		hub.openStalled(readers, stalled)
		events, cpu := hub.metric("tickertape_events_delivered_total"), hub.metric("process_cpu_seconds_total")
		began := machineTime(t)

		var reading sync.WaitGroup
		for _, r := range all {
			reading.Go(r.read)
		}
		publishLoad(t, hub.url, total, span)
		reading.Wait()

		cpu = hub.metric("process_cpu_seconds_total") - cpu
		ended := machineTime(t)
		sum.share = (ended.stolen - began.stolen) / (ended.all - began.all)
		events = hub.metric("tickertape_events_delivered_total") - events
		sum.grown = hub.memory("VmHWM") - rss
		delays := delaysOf(t, all, total)
		if int(events) != readers*total {
			t.Errorf("%.0f events were written instead of %d: who should stall read", events, readers*total)
		}
		if open := int(hub.metric("tickertape_streams")); open != readers+stalled {
			t.Errorf("at the end %d streams are open instead of %d: the stalled ones were not there all the time", open, readers+stalled)
		}
		sum.p99, sum.parts = p99s(delays)
		t.Logf("%d readers, %d stalled: %d deliveries, delay p99 %v (by parts %v); the hub used %.1f s of CPU, all of the machine %.1f s, others on its host %.1f %% of its time; "+
			"of memory %d KiB, and at most %d KiB more", readers, stalled, readers*total, sum.p99, sum.parts, cpu, ended.busy-began.busy, 100*sum.share, rss, sum.grown)
	})
	return sum
}

// openReaders opens streams that nobody reads yet. Each is to bring so many
// events.
func (p *process) openReaders(n, want int) []*loadReader {
	p.t.Helper()
	readers := make([]*loadReader, n)
	for i := range readers {
		readers[i] = &loadReader{want: want}
		readers[i].open(p.t, strings.TrimPrefix(p.url, "http://"), fmt.Sprint("load.", i%loadTopics))
	}
	// More than the kernel takes for a client that does not read.
	for range 20 {
		post(p.t, p.client, p.url, "large", strings.Repeat("y", 100_000))
	}
	p.until("all have a stream", func() bool { return int(p.metric("tickertape_streams")) == n })
	return readers
}

// openStalled opens streams that nobody reads and returns when the hub can
// write nothing more to them. So many others are open.
func (p *process) openStalled(others, n int) {
	p.t.Helper()
	for i := range n {
		conn := subscribe(p.t, strings.TrimPrefix(p.url, "http://"), fmt.Sprintf("large&topic=load.%d", i%loadTopics))
		p.t.Cleanup(func() { _ = conn.Close() })
	}
	p.until("all have a stream", func() bool { return int(p.metric("tickertape_streams")) == others+n })
	p.until("who does not read takes nothing any more", func() bool {
		before := p.metric("tickertape_events_delivered_total")
		time.Sleep(200 * time.Millisecond)
		return p.metric("tickertape_events_delivered_total") == before
	})
}

// delaysOf returns what the readers measured, the messages of one number
// together.
func delaysOf(t *testing.T, readers []*loadReader, total int) [][]time.Duration {
	t.Helper()
	delays := make([][]time.Duration, total)
	for i, r := range readers {
		if r.err != nil {
			t.Fatalf("reader %d: %v", i, r.err)
		}
		for n, d := range r.delays {
			delays[n] = append(delays[n], d)
		}
	}
	return delays
}

// p99s returns the 99th percentile of all, and that of the median part.
func p99s(parts [][]time.Duration) (all, median time.Duration) {
	p99 := func(d []time.Duration) time.Duration { slices.Sort(d); return d[len(d)*99/100] }
	each := make([]time.Duration, len(parts))
	for i, part := range parts {
		each[i] = p99(part)
	}
	slices.Sort(each)
	return p99(slices.Concat(parts...)), each[len(each)/2]
}

// metric returns a metric without labels, as /metrics tells it now.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	status, body := answered(p.client.Get(p.adminURL() + "/metrics"))
	_, rest, found := strings.Cut(body, "\n"+name+" ")
	number, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(number, 64)
	if status != http.StatusOK || !found || err != nil {
		p.t.Fatalf("/metrics: %d, %s is %q", status, name, number)
	}
	return value
}

// memory returns a value of the process' /proc/…/status, in KiB.
func (p *process) memory(name string) (kib int) {
	p.t.Helper()
	_, rest, _ := strings.Cut(text(p.t, fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)), "\n"+name+":")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.t.Fatalf("%s of the process: %v", name, err)
	}
	return kib
}

// processors is what the machine's processors did so far, in seconds.
type processors struct{ busy, stolen, all float64 }

// machineTime reads /proc/stat: what a round shares the machine with, on it or
// on its host, is no fault of the hub's.
func machineTime(t *testing.T) processors {
	t.Helper()
	var user, nice, system, idle, wait, irq, softirq, stolen float64
	if _, err := fmt.Sscan(strings.TrimPrefix(text(t, "/proc/stat"), "cpu"), &user, &nice, &system, &idle, &wait, &irq, &softirq, &stolen); err != nil {
		t.Fatal(err)
	}
	const second = 100 // in /proc/stat, on all of Linux' architectures
	busy := user + nice + system + irq + softirq
	return processors{busy: busy / second, stolen: stolen / second, all: (busy + idle + wait + stolen) / second}
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
