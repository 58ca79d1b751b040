package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// A topic that keeps fewer events than a node's log, and is busier than a
// history read is quick: who falls out of the log has to be served all the same.
func TestBehindABusyTopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{Retention: event.Retention{Messages: 3, Bytes: 1 << 20, Age: time.Hour}}), slow: 2 * time.Millisecond}
		h, end := run(t, bus, hub.Options{LogFrames: 10})
		defer end()
		ids := send(t, bus, "a", "first")
		keep := subscribe(t, h, &bell{}, hub.Start{}, "a")
		defer keep.Close()
		send(t, bus, "a", strings.Fields(strings.Repeat("x ", 50))...)
		ctx, cancel := context.WithCancel(t.Context())
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for ctx.Err() == nil {
				send(t, bus, "a", "more")
				time.Sleep(time.Millisecond)
			}
		})
		defer publishing.Wait()
		defer cancel()
		for _, start := range []hub.Start{{Cursor: ids[0]}, {Last: 12}} {
			s := subscribe(t, h, &bell{}, start, "a")
			defer s.Close()
			got := 0
			for range 100 {
				var blocks [][]byte
				blocks, _ = s.Take(nil, 1<<20)
				got += len(blocks)
				time.Sleep(100 * time.Millisecond)
			}
			if got == 0 {
				t.Errorf("%+v: nothing within 10 s", start)
			}
		}
	})
}

// Many who ask for the last events up to many different moments: the reads
// together take longer than one may take.
func TestManyTails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{}), slow: 100 * time.Millisecond}
		h, end := run(t, timed{bus}, hub.Options{LogFrames: 1})
		defer end()
		send(t, bus, "a", strings.Fields(strings.Repeat("x ", 200))...)
		clock, _ := bus.Clock(t.Context())
		var subs []*hub.Subscriber
		for i := range 100 {
			opened := event.Position{MS: clock.Position.MS, Seq: clock.Position.Seq - uint64(i)}
			s := subscribe(t, h, &bell{}, hub.Start{Cursor: event.Cursor{Epoch: clock.Epoch, Opened: opened, Last: 2}.String()}, "a")
			defer s.Close()
			s.Take(nil, 1<<20)
			subs = append(subs, s)
		}
		time.Sleep(time.Minute)
		starved := 0
		for _, s := range subs {
			if blocks, _ := s.Take(nil, 1<<20); len(blocks) == 0 {
				starved++
			}
		}
		if starved > 0 {
			t.Errorf("%d of 100 got nothing within a minute, after %d reads", starved, bus.reads.Load())
		}
	})
}

// timed honours its context, as a bus over a network does.
type timed struct{ *troubled }

func (b timed) History(ctx context.Context, r event.Range) (event.Page, error) {
	p, err := b.troubled.History(ctx, r)
	if ctx.Err() != nil {
		return event.Page{}, ctx.Err()
	}
	return p, err
}

// Topics of which the history cannot be read hold up no others.
func TestFailingTopicsHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := partly{membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{})
		defer end()
		for i := range 100 {
			s := subscribe(t, h, &bell{}, hub.Start{All: true}, event.Topic(fmt.Sprint("bad.", i)))
			defer s.Close()
			s.Take(nil, 1000)
		}
		time.Sleep(time.Minute)
		send(t, bus, "good", "1")
		w := &signal{make(chan struct{}, 1)}
		s := subscribe(t, h, w, hub.Start{All: true}, "good")
		defer s.Close()
		s.Take(nil, 1000)
		begin := time.Now()
		<-w.c
		if d := time.Since(begin); d > 3*time.Second {
			t.Errorf("waited %v behind 100 topics that cannot be read", d)
		}
	})
}

type partly struct{ *membus.Bus }

func (b partly) History(ctx context.Context, r event.Range) (event.Page, error) {
	if strings.HasPrefix(string(r.Topic), "bad.") {
		return event.Page{}, errAway
	}
	return b.Bus.History(ctx, r)
}

// A stream of many topics makes no crumbs of what others read.
func TestWideStreamsMakeNoCrumbs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{LogFrames: 1})
		defer end()
		var messages []event.Message
		for range 1000 {
			messages = append(messages, event.Message{Topic: "a", Data: event.Data{Text: strings.Repeat("x", 700)}})
		}
		if _, err := bus.Publish(t.Context(), messages); err != nil {
			t.Fatal(err)
		}
		read := func() (takes int) {
			s := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
			defer s.Close()
			for {
				_, state := s.Take(nil, 1<<20)
				takes++
				if state == hub.Idle {
					return takes
				}
				synctest.Wait()
			}
		}
		alone := read()
		time.Sleep(time.Minute)
		topics := []event.Topic{"a"}
		for i := range 99 {
			topics = append(topics, event.Topic(fmt.Sprint("b.", i)))
		}
		wide := subscribe(t, h, &bell{}, hub.Start{All: true}, topics...)
		defer wide.Close()
		for {
			_, state := wide.Take(nil, 1<<20)
			if state == hub.Idle {
				break
			}
			synctest.Wait()
		}
		if takes := read(); takes > 20*alone {
			t.Errorf("%d takes after a wide stream; alone it took %d", takes, alone)
		}
	})
}
