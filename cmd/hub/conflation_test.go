//go:build unix

package main_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// slowRate is what a slow reader takes a second, in bytes.
const slowRate = 10_000

// conflation is the load of TestSlowReaders.
type conflation struct {
	keys, rate, slow int
	span             time.Duration
}

// TestSlowReaders publishes much more than its slow readers take. Of a table,
// they come out with the newest of each key, in order, shortly after the last
// update, for they skip what was superseded meanwhile; of a log, they get every
// event. Whoever listens to something else beside them notices nothing, and
// the hub's memory stays bounded. Its short form runs with all tests, the full
// one by "make conflation".
func TestSlowReaders(t *testing.T) {
	c := conflation{keys: 50, rate: 2_000, slow: 5, span: 3 * time.Second}
	if os.Getenv("CONFLATION") == "full" {
		c = conflation{keys: 500, rate: 10_000, slow: 20, span: 20 * time.Second}
	}
	t.Run("quotes", func(t *testing.T) { c.table(t) })
	t.Run("log", func(t *testing.T) { c.log(t) })
}

// hub starts the hub that the readers are slow at. Its rules make the quotes a
// table, and its logs are long.
func (c conflation) hub(t *testing.T) *process {
	t.Helper()
	config := filepath.Join(t.TempDir(), "tickertape.yaml")
	rules := fmt.Sprintf("rules:\n  - selector: quotes\n    kind: latest\n    keys: %d\n", c.keys)
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProcess(t, "shared", "HUB_CONFIG="+config, "HUB_RETAIN_MESSAGES=1000000", "HUB_RETAIN_BYTES=1GiB")
}

// table measures what others notice of slow readers of a table, and looks at
// what these get.
func (c conflation) table(t *testing.T) {
	hub := c.hub(t)
	alone, _ := c.beside(t, hub, "quotes", nil, 0)
	began := time.Now()
	var slow []*slowReader
	for range c.slow {
		slow = append(slow, newSlowReader(t, hub.url, "quotes"))
	}
	resident := hub.memory("VmRSS")
	total := c.rate * int(c.span.Seconds())
	with, last := c.beside(t, hub, "quotes", slow, total)
	grown := hub.memory("VmHWM") - resident

	ended := time.Now()
	var latest time.Duration
	events, taken := 0, int64(0)
	for i, r := range slow {
		r.await(t, i, func() bool { return r.complete(last) })
		latest = max(latest, time.Since(ended))
		taken += r.brake.taken.Load()
		events += r.stop()
	}
	rate := float64(taken) / time.Since(began).Seconds() / float64(c.slow)
	t.Logf("%d slow readers, at %.0f B/s as it came out, of %d keys at %d updates/s for %v: %d events each of %d, the newest of each key %v after the last update; "+
		"others' p99 %v alone, %v beside them; the hub's memory grew by at most %d KiB", c.slow, rate, c.keys, c.rate, c.span,
		events/c.slow, total, latest.Round(time.Millisecond), alone, with, grown)
	if events/c.slow >= total {
		t.Error("nothing was skipped: the readers were not slow")
	}
	if most := c.slow*256 + 40<<10; grown > most {
		t.Errorf("the hub grew by %d KiB, over %d", grown, most)
	}
}

// log has slow readers of a log. Once the load is over they may read as fast
// as they can, and miss nothing.
func (c conflation) log(t *testing.T) {
	hub := c.hub(t)
	var slow []*slowReader
	for range c.slow {
		slow = append(slow, newSlowReader(t, hub.url, "trades"))
	}
	resident := hub.memory("VmRSS")
	began := time.Now()
	c.beside(t, hub, "trades", slow, 0)
	total := c.rate * int(c.span.Seconds())
	for _, r := range slow {
		r.hurry()
	}
	for i, r := range slow {
		r.await(t, i, func() bool { return r.events == total })
		r.stop()
	}
	t.Logf("%d readers of a log, slow at first: %d events each after %v; the hub's memory grew by at most %d KiB",
		c.slow, total, time.Since(began).Round(time.Second), hub.memory("VmHWM")-resident)
}

// beside publishes the updates, numbered on from those before, and to others
// something else, and returns the others' p99 and the number of each key's last
// update.
func (c conflation) beside(t *testing.T, hub *process, topic string, slow []*slowReader, before int) (p99 time.Duration, last map[string]int) {
	t.Helper()
	const others, each = 10, 50 // readers, and messages a second
	total := each * int(c.span.Seconds())
	var running sync.WaitGroup
	readers := make([]*loadReader, others)
	name := fmt.Sprintf("others.%s.%d", topic, len(slow))
	for i := range readers {
		readers[i] = &loadReader{want: total}
		readers[i].open(t, strings.TrimPrefix(hub.url, "http://"), name)
		running.Go(readers[i].read)
	}
	running.Go(func() {
		begin := time.Now()
		for n := range total {
			time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / each))) // a rate, not a condition
			post(t, hub.client, hub.url, name, fmt.Sprintf("n %d %d", n+1, time.Now().UnixNano()))
		}
	})
	last = c.publish(t, hub, topic, before)
	running.Wait()
	p99, _ = p99s(delaysOf(t, readers, total))
	return p99, last
}

// publish publishes updates of the keys in turn, numbered on, at the rate.
func (c conflation) publish(t *testing.T, hub *process, topic string, before int) (last map[string]int) {
	t.Helper()
	publisher, err := client.New(hub.url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	last = map[string]int{}
	const batch = 100
	filler := strings.Repeat("x", loadText-32)
	begin := time.Now()
	for n := 0; n < c.rate*int(c.span.Seconds()); n += batch {
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(c.rate)))) // a rate, not a condition
		messages := make([]event.Message, batch)
		for i := range messages {
			key := fmt.Sprint("key-", (n+i)%c.keys)
			last[key] = before + n + i + 1
			messages[i] = event.Message{Topic: event.Topic(topic), Key: key, Data: event.Data{Text: fmt.Sprint(last[key], " ", filler)}}
		}
		if _, err := publisher.PublishBatch(t.Context(), messages); err != nil {
			t.Fatalf("update %d: %v", n, err)
		}
	}
	return last
}

// slowReader takes slowRate bytes a second of a topic. It expects rising
// numbers of each key, and no gap.
type slowReader struct {
	brake *brake
	end   context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	events int
	last   map[string]int
	wrong  error
}

// newSlowReader opens a stream and returns when it is open.
func newSlowReader(t *testing.T, url, topic string) *slowReader {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	r := &slowReader{brake: newBrake(), end: end, ended: make(chan struct{}), last: map[string]int{}}
	slow, err := client.New(url, client.Options{Transport: &http.Transport{DisableCompression: true, DialContext: r.brake.dial}})
	if err != nil {
		t.Fatal(err)
	}
	open := make(chan struct{})
	var once sync.Once
	go func() {
		defer close(r.ended)
		_, err := slow.Listen(ctx, client.ListenOptions{Topics: []string{topic}, All: true}, client.Handler{Event: r.event, Gap: r.gap,
			State: func(s client.State) {
				if s.Connected {
					once.Do(func() { close(open) })
				}
			}})
		if ctx.Err() == nil {
			r.complain(fmt.Errorf("the stream ended: %w", err))
		}
	}()
	t.Cleanup(func() { end(); <-r.ended })
	select {
	case <-open:
	case <-time.After(endTime):
		t.Fatal("a slow reader has no stream")
	}
	return r
}

func (r *slowReader) event(e client.Event) error {
	data, err := e.Text()
	if err != nil {
		return err
	}
	var n int
	_, _ = fmt.Sscan(data.Text, &n) // 0 of what is no number
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
	if n <= r.last[e.Key] {
		r.wrong = cmp.Or(r.wrong, fmt.Errorf("of %s, %d came after %d", e.Key, n, r.last[e.Key]))
	}
	r.last[e.Key] = n
	return nil
}

func (r *slowReader) gap(g client.Gap) error {
	r.complain(fmt.Errorf("a gap: %s", g.Reason))
	return nil
}

func (r *slowReader) complain(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = cmp.Or(r.wrong, err)
}

// complete reports whether the reader has the last update of each key.
func (r *slowReader) complete(last map[string]int) bool {
	for key, n := range last {
		if r.last[key] != n {
			return false
		}
	}
	return true
}

// await waits until the condition, which is asked under the lock, holds.
func (r *slowReader) await(t *testing.T, number int, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		done, wrong, events := holds(), r.wrong, r.events
		r.mu.Unlock()
		switch {
		case wrong != nil:
			t.Fatalf("slow reader %d, after %d events: %v", number, events, wrong)
		case done:
			return
		case time.Now().After(limit):
			t.Fatalf("slow reader %d has %d events, and not what it should", number, events)
		}
	}
}

// hurry lets the reader read as fast as it can.
func (r *slowReader) hurry() { r.brake.release() }

// stop ends the stream and returns how many events it brought.
func (r *slowReader) stop() (events int) {
	r.end()
	r.hurry()
	<-r.ended
	return r.events
}
