package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// stepBus is a bus whose publishes a test decides.
type stepBus struct {
	*membus.Bus
	mu     sync.Mutex
	flying int
	sizes  []int // messages of each publish
	step   func(call int) error
}

func (b *stepBus) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	b.mu.Lock()
	b.flying++
	flying, call := b.flying, len(b.sizes)
	b.sizes = append(b.sizes, len(messages))
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flying--
	}()
	if flying > 1 {
		return nil, errors.New("two publishes of one stream at once")
	}
	if err := b.step(call); err != nil {
		return nil, err
	}
	return b.Bus.Publish(ctx, messages)
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "{\"data\":%d}\n", i)
	}
	return b.String()
}

// What fails stops all that comes behind it, though that was read long ago.
func TestBusFailureStopsStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		stored string
	}{
		"away":    {&event.UnavailableError{RetryAfter: 7 * time.Second, Err: errors.New("the store is away")}, 503, "no"},
		"unknown": {&event.UnavailableError{MaybeStored: true, Err: errors.New("the store is away")}, 503, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := &stepBus{Bus: membus.New(membus.Options{})}
			bus.step = func(call int) error {
				if call == 2 {
					return c.err
				}
				return nil
			}
			n := startNode(t, nodetest.Options{Over: bus})
			a := n.do(t, postTo("?topic=t", ndjsonType, lines(0, 2000)))
			p := expectProblem(t, a, c.status, "the store is away")
			count := len(n.stored(t))
			if count == 0 || count >= 2000 || *p.Published != count || *p.Item != count || p.Stored != c.stored || p.LastID != n.lastID(t) {
				t.Errorf("%d are stored; answered %s", count, a.body)
			}
			if len(bus.sizes) != 3 || slices.Max(bus.sizes) > 256 || !strings.HasPrefix(p.Detail, fmt.Sprintf("line %d: ", count+1)) {
				t.Errorf("published %v; answered %s", bus.sizes, a.body)
			}
		})
	}
}

// endless is a body without an end that counts what is read of it.
type endless struct {
	line string
	rest string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.line
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.read += n
	return n, nil
}

// serveStream serves a stream without a network.
func serveStream(handler http.Handler, ctx context.Context, body io.Reader) answer {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/publish?topic=t", body)
	r.Header.Set("Content-Type", ndjsonType)
	return serve(handler, r)
}

// While the bus is busy little is read: one chunk, and what is on its way.
func TestSlowBusBoundsMemory(t *testing.T) {
	t.Parallel()
	for size, most := range map[int]int{10: 32 << 10, 1000: 700 << 10, 200 << 10: 3 << 20} {
		synctest.Test(t, func(t *testing.T) {
			bus := &stepBus{Bus: membus.New(membus.Options{})}
			gate := make(chan struct{})
			bus.step = func(call int) error {
				<-gate
				if call == 3 {
					return errors.New("enough")
				}
				return nil
			}
			log := &faults{}
			handler := idleServer(t, hub.Bus(bus), slog.New(log))
			body := &endless{line: fmt.Sprintf("{\"data\":%q}\n", strings.Repeat("x", size))}
			ctx, cancel := context.WithCancel(t.Context())
			var ended sync.WaitGroup
			ended.Go(func() { serveStream(handler, ctx, &cancelled{ctx, body}) })
			for range 4 {
				synctest.Wait()
				if body.read > most {
					t.Errorf("%d bytes were read of lines of %d", body.read, size)
				}
				body.read = 0
				gate <- struct{}{}
			}
			cancel() // or the rest would be dropped for ever
			ended.Wait()
			if slices.Max(bus.sizes) > 256 || slices.Max(bus.sizes)*size > 1<<20+size {
				t.Errorf("published %v of %d bytes", bus.sizes, size)
			}
		})
	}
}

// cancelled is a body that breaks off when ctx ends.
type cancelled struct {
	ctx context.Context
	io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, io.ErrUnexpectedEOF
	}
	return c.Reader.Read(p)
}

// A request may stay open for hours, with hours between its lines.
func TestStreamOpenForHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		handler := idleServer(t, hub.Bus(bus), slog.New(&faults{}))
		body, w := io.Pipe()
		answers := make(chan answer, 1)
		go func() { answers <- serveStream(handler, t.Context(), body) }()
		for i := range 20 {
			_, _ = io.WriteString(w, lines(i, i+1))
			synctest.Wait()
			if stored := storedIn(t, bus); len(stored) != i+1 {
				t.Fatalf("%d are stored after %d", len(stored), i+1)
			}
			time.Sleep(time.Hour)
		}
		_ = w.Close()
		if got := decode[streamed](t, <-answers); got.Published != 20 {
			t.Errorf("answered %+v", got)
		}
	})
}
