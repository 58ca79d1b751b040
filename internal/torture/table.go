package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
	"tickertape/internal/sse"
)

// tableRules makes tables of the topics that a case has as such.
const tableRules = "rules:\n  - selector: table.*\n    kind: latest\n    keys: 100\n"

const (
	tableKeys  = 80
	tableBatch = 20               // updates at a time
	tablePause = time.Second / 20 // from batch to batch
	tableSize  = 2 << 10          // bytes of an update
)

// table is a topic that keeps the newest of each key.
type table struct {
	run   *Run
	topic event.Topic
	draw  *rand.Rand
	by    *client.Client

	updates int
	newest  map[string]string // what each key stands at; missing: it was deleted
}

func newTable(r *Run) *table {
	return &table{run: r, topic: r.found.name("table"), draw: drawn(r.Rand.Uint64(), forFaults), by: r.Client(client.Options{Timeout: publishTimeout}),
		newest: map[string]string{}}
}

// press updates the table until ctx ends: most keys again and again, some are
// deleted.
func (x *table) press(ctx context.Context) {
	for ctx.Err() == nil {
		messages := make([]event.Message, tableBatch)
		for i := range messages {
			x.updates++
			key, text := fmt.Sprint("key-", x.draw.IntN(tableKeys)), fmt.Sprint(x.updates, " ", strings.Repeat(".", tableSize))
			data := event.Data{Text: text}
			x.newest[key] = text
			if x.draw.IntN(20) == 0 {
				data = event.Data{JSON: true, Text: "null"}
				delete(x.newest, key)
			}
			messages[i] = event.Message{Topic: x.topic, Key: key, Data: data, IdempotencyKey: fmt.Sprint(x.updates)}
		}
		x.publish(messages)
		pause(ctx, tablePause)
	}
}

// publish goes on until the messages are acknowledged, as long as the run lasts.
func (x *table) publish(messages []event.Message) {
	r := x.run
	for r.T.Context().Err() == nil {
		if _, err := x.by.PublishBatch(r.T.Context(), messages); err == nil {
			return
		}
		pause(r.T.Context(), 100*time.Millisecond)
	}
}

// tableReader is what a reader has of a table.
type tableReader struct {
	name string

	mu     sync.Mutex
	events int
	has    map[string]string
	last   event.Cursor
	v      referee.Verdict
}

// read has a reader of the table begin at a hub.
func (x *table) read(name string, hub int, way *http.Client, start string) *tableReader {
	r := x.run
	reader := &tableReader{name: name, has: map[string]string{}}
	source := &eventSource{client: way, hubs: r.Hubs, turn: hub, query: "envelope=true&topic=" + url.QueryEscape(string(x.topic)), last: start,
		take: reader.take, odd: func(format string, args ...any) { r.found.odd("%s: %s", name, fmt.Sprintf(format, args...)) }}
	ctx, cancel := context.WithCancel(r.T.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		source.run(ctx)
	}()
	r.T.Cleanup(func() { cancel(); <-done })
	return reader
}

// take notes an event, which has to stand behind the one before.
func (x *tableReader) take(e sse.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch e.Name {
	case "hub.gap":
		x.v.Fault(&x.v.FalseGaps, "%s: a gap: %s", x.name, e.Data)
		return
	case "message":
	default:
		return
	}
	var one event.Envelope
	err := json.Unmarshal([]byte(e.Data), &one)
	at, bad := event.ParseCursor(one.ID)
	data, wrong := one.Text()
	if err != nil || bad != nil || wrong != nil || one.Key == "" {
		x.v.Fault(&x.v.Other, "%s: this is no entry of a table: %.100q", x.name, e.Data)
		return
	}
	switch {
	case at == x.last:
		x.v.Fault(&x.v.Doubled, "%s: what stands at %v came twice", x.name, at.Position)
	case !at.Position.After(x.last.Position):
		x.v.Fault(&x.v.Disordered, "%s: %s, at %v, came behind %v", x.name, one.Key, at.Position, x.last.Position)
	}
	x.events++
	x.last, x.has[one.Key] = at, data.Text
	if data.IsNull() {
		delete(x.has, one.Key)
	}
}

// differs returns how many keys stand otherwise than they should.
func (x *tableReader) differs(want map[string]string) (count int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, text := range want {
		if x.has[key] != text {
			count++
		}
	}
	for key := range x.has {
		if _, ok := want[key]; !ok {
			count++
		}
	}
	return count
}

// judge notes what was wrong with what the reader had, and returns how many
// events it had.
func (x *tableReader) judge(f *found, want map[string]string) (events int) {
	differ := x.differs(want)
	x.mu.Lock()
	defer x.mu.Unlock()
	for range differ {
		x.v.Fault(&x.v.Lost, "%s: a key does not stand where it should", x.name)
	}
	f.add(x.v, 0, x.events)
	return x.events
}

// tableConflated updates a table faster than some of its readers read, and kills
// a hub under them: they come back to others, and in the end all have the newest
// of each key. Those who are slow skip what was superseded.
func tableConflated(r *Run) {
	x, start := newTable(r), r.here()
	slowly := newTap(400, 100*time.Millisecond)
	slowly.room = 4 << 10
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, DialContext: slowly.dial}
	var quick, slow []*tableReader
	for i := range r.Hubs {
		quick = append(quick, x.read(fmt.Sprintf("a reader of %s", x.topic), i, r.plain(), start))
		slow = append(slow, x.read(fmt.Sprintf("a slow reader of %s", x.topic), i, &http.Client{Transport: transport}, start))
	}
	ctx, cancel := context.WithCancel(r.T.Context())
	var pressing sync.WaitGroup
	pressing.Go(func() { x.press(ctx) })
	defer pressing.Wait()
	defer cancel()
	r.Last(2*time.Second + r.upTo(2*time.Second))
	h := r.anyMortal()
	h.Kill()
	r.Last(r.upTo(3 * time.Second))
	h.Start()
	r.Await("the hub is back", h.Ready)
	r.Last(2*time.Second + r.upTo(2*time.Second))
	cancel()
	pressing.Wait()
	slowly.open()
	r.found.add(referee.Verdict{}, x.updates, 0)
	all := slices.Concat(quick, slow)
	r.comes(func() bool {
		return !slices.ContainsFunc(all, func(one *tableReader) bool { return one.differs(x.newest) > 0 })
	})
	for i, one := range all {
		if events := one.judge(r.found, x.newest); i >= len(quick) && events >= x.updates {
			r.T.Errorf("%s was not slow: nothing was skipped", one.name)
		}
	}
}
