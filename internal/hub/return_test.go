package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/sse"
)

// measured is a bus that notes how many events each history read brings.
type measured struct {
	*membus.Bus
	slow  time.Duration
	limit int // reads of more events fail, unless it is 0

	mu    sync.Mutex
	reads []int
}

func (b *measured) History(ctx context.Context, r event.Range) (event.Page, error) {
	time.Sleep(b.slow)
	p, err := b.Bus.History(ctx, r)
	if b.limit > 0 && len(p.Events) > b.limit {
		p, err = event.Page{}, errAway
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads = append(b.reads, len(p.Events))
	return p, err
}

// script is what is published to topic a, a message after the other.
type script struct {
	texts  []string
	blocks [][]byte // as they go out, but for the id; no two begin with the same 12 bytes
	ids    []string // of what has been published
}

// newScript makes n messages, of so many bytes up to twice as many.
func newScript(n, bytes int, seed *rand.Rand) *script {
	p := &script{}
	for i := range n {
		p.texts = append(p.texts, fmt.Sprint(i, strings.Repeat("x", bytes+seed.IntN(bytes))))
		p.blocks = append(p.blocks, sse.AppendEvent(nil, "", p.texts[i]))
	}
	return p
}

// publish publishes the next n messages.
func (p *script) publish(t *testing.T, bus hub.Bus, n int) {
	t.Helper()
	for n > 0 {
		batch := make([]event.Message, min(n, event.MaxBatch))
		for i := range batch {
			batch[i] = event.Message{Topic: "a", Data: event.Data{Text: p.texts[len(p.ids)+i]}}
		}
		receipts, err := bus.Publish(context.Background(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			p.ids = append(p.ids, r.Cursor.String())
		}
		n -= len(batch)
	}
}

// comeBack returns to the stream behind the event with that index, and takes
// all there is. It checks that the events come in turn and returns how many.
func (p *script) comeBack(t *testing.T, h *hub.Hub, id string, from int, each func([]byte)) int {
	w := &signal{make(chan struct{}, 1)}
	s := subscribe(t, h, w, hub.Start{Cursor: id}, "a")
	defer s.Close()
	next := from + 1
	var blocks [][]byte
	for {
		var state hub.State
		blocks, state = s.Take(blocks[:0], 1<<20)
		for _, b := range blocks {
			if want := p.blocks[next]; len(b) < len(want) || !bytes.HasPrefix(b[len(b)-len(want):], want[:12]) {
				t.Errorf("behind %d, instead of %d came %.200q", from, next, b)
				return next - 1 - from
			}
			next++
			each(b)
		}
		if state == hub.Idle {
			return next - 1 - from
		}
		if state == hub.Behind {
			<-w.c
		}
	}
}

func nothing([]byte) {}

// TestReturnsShareReads: clients that come back, wherever in what the topic
// keeps they are, and whenever they come: 2,000 cost three history reads.
func TestReturnsShareReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kept  int
		over  time.Duration // the clients come spread over so long
		slow  time.Duration // a history read takes so long
		fresh int           // messages published meanwhile
	}{
		{kept: 5000, slow: 5 * time.Millisecond},
		{kept: 10_000, over: time.Second, fresh: 200},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				retain := event.Retention{Messages: c.kept + c.fresh, Bytes: 1 << 30, Age: time.Hour}
				bus := &measured{Bus: membus.New(membus.Options{Retention: retain}), slow: c.slow}
				h, end := run(t, bus, hub.Options{})
				defer end()
				keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
				defer keep.Close()
				seed := rand.New(rand.NewPCG(1, uint64(c.kept)))
				all := newScript(c.kept+c.fresh, 100, seed)
				all.publish(t, bus, c.kept)
				kept := all.ids
				var back sync.WaitGroup
				for range 2000 {
					from, late := seed.IntN(c.kept), time.Duration(seed.Int64N(int64(c.over)+1))
					back.Go(func() {
						time.Sleep(late)
						if got := all.comeBack(t, h, kept[from], from, nothing); got < c.kept-1-from {
							t.Errorf("%d events behind the cursor, got %d", c.kept-1-from, got)
						}
					})
				}
				for range c.fresh {
					all.publish(t, bus, 1)
					time.Sleep(c.over / time.Duration(c.fresh))
				}
				back.Wait()
				if len(bus.reads) > 3 {
					t.Errorf("%d history reads, of %v events", len(bus.reads), bus.reads)
				}
			})
		})
	}
}

// old returns a hub with a topic of n messages, of which its log has the last.
func old(t *testing.T, bus *measured, o hub.Options, n, bytes int) (*hub.Hub, *script, func()) {
	h, end := run(t, bus, o)
	keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
	p := newScript(n, bytes, rand.New(rand.NewPCG(1, 1)))
	p.publish(t, bus, n)
	return h, p, func() { keep.Close(); end() }
}

// TestReturnAlone: who comes back alone is served by one read of one page.
func TestReturnAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &measured{Bus: membus.New(membus.Options{})}
		h, p, end := old(t, bus, hub.Options{}, 10_000, 100)
		defer end()
		for _, from := range []int{8700, 8000} {
			bus.reads = nil
			p.comeBack(t, h, p.ids[from], from, nothing)
			if n := len(bus.reads); n == 0 || bus.reads[0] > 512 || from == 8700 && n > 1 {
				t.Errorf("from %d: reads of %v events", from, bus.reads)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestReturnsOneByOne: the same if each comes when the one before is through,
// be it from ever farther away or from ever nearer, and nothing is read twice.
func TestReturnsOneByOne(t *testing.T) {
	t.Parallel()
	for first, others := range map[int][]int{8000: {8000, 7000, 5000, 3000, 2000, 0}, 100: {6000, 4000, 2000, 100, 8000, 0}} {
		synctest.Test(t, func(t *testing.T) {
			bus := &measured{Bus: membus.New(membus.Options{})}
			h, p, end := old(t, bus, hub.Options{}, 10_000, 100)
			defer end()
			s := subscribe(t, h, &bell{}, hub.Start{Cursor: p.ids[first]}, "a")
			defer s.Close() // goes no farther than its first page
			s.Take(nil, 1)
			synctest.Wait()
			for _, from := range others {
				if got := p.comeBack(t, h, p.ids[from], from, nothing); got != 9999-from {
					t.Errorf("%d events behind the cursor, got %d", 9999-from, got)
				}
			}
			sum := 0
			for _, n := range bus.reads {
				sum += n
			}
			if len(bus.reads) > 3 || sum > 10_000 {
				t.Errorf("first %d: %d history reads, of %v events", first, len(bus.reads), bus.reads)
			}
		})
	}
}

// TestReturnsOutOfReach: reads that look ahead begin at the oldest event only
// as long as they come to where the client is.
func TestReturnsOutOfReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &measured{Bus: membus.New(membus.Options{Retention: event.Retention{Messages: 10_000, Bytes: 64 << 20, Age: time.Hour}})}
		h, p, end := old(t, bus, hub.Options{}, 7000, 4000)
		defer end()
		for _, from := range []int{6500, 6400} {
			p.comeBack(t, h, p.ids[from], from, nothing)
		}
		if n := len(bus.reads); n > 4 {
			t.Errorf("%d history reads, of %v events", n, bus.reads)
		}
	})
}

// TestLargeReadsFail: if only small reads come through, they serve everyone.
func TestLargeReadsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &measured{Bus: membus.New(membus.Options{}), limit: 512}
		h, p, end := old(t, bus, hub.Options{}, 5000, 100)
		defer end()
		begin := time.Now()
		for _, from := range []int{3000, 0} {
			if got := p.comeBack(t, h, p.ids[from], from, nothing); got != 4999-from {
				t.Errorf("%d events behind the cursor, got %d", 4999-from, got)
			}
		}
		if d := time.Since(begin); d > 30*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

// TestLogOutlivesTheStore: what the store lost while a client read its history
// still comes from the log.
func TestLogOutlivesTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &measured{Bus: membus.New(membus.Options{Retention: event.Retention{Messages: 50, Bytes: 1 << 20, Age: time.Hour}})}
		p := newScript(90, 1, rand.New(rand.NewPCG(1, 1)))
		h, end := run(t, bus, hub.Options{PageEvents: 4})
		defer end()
		p.publish(t, bus, 30)
		s := subscribe(t, h, &bell{}, hub.Start{Cursor: p.ids[0]}, "a")
		defer s.Close()
		s.Take(nil, 1000)
		synctest.Wait()
		blocks, _ := s.Take(nil, 1000)
		p.publish(t, bus, 60)
		rest := texts(s)
		if len(blocks) != 4 || !strings.Contains(rest, "hub.gap") {
			t.Fatalf("%d events, then %s", len(blocks), rest)
		}
		for i, text := range p.texts[30:] {
			if !strings.Contains(rest, "data: "+text+"\n") {
				t.Fatalf("%d is missing: %s", 30+i, rest)
			}
		}
	})
}
