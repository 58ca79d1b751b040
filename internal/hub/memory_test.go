package hub_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// Streams that came and went while the store was away leave nothing behind.
func TestClosedLeaveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{LogLinger: time.Second})
		defer end()
		id, err := event.ParseCursor(send(t, bus, "a", "1")[0])
		if err != nil {
			t.Fatal(err)
		}
		id.Position.MS += 1000_000
		bus.away.Store(true)
		var gone []weak.Pointer[wide]
		for range 1000 {
			w := &wide{}
			s := subscribe(t, h, w, hub.Start{Cursor: id.String()}, "a")
			s.Take(nil, 1000)
			s.Close()
			gone = append(gone, weak.Make(w))
		}
		time.Sleep(5 * time.Minute)
		held := 0
		for range 3 {
			runtime.GC()
		}
		for _, p := range gone {
			if p.Value() != nil {
				held++
			}
		}
		if held > 0 {
			t.Errorf("%d of 1000 closed streams are still held after 5 minutes", held)
		}
	})
}

type wide struct{ _ [1024]byte }

func (*wide) Wake(*hub.Subscriber) {}

// Frames of dropped logs are let go.
func TestDroppedLogsAreFreed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		h, end := run(t, bus, hub.Options{LogLinger: time.Second})
		defer end()
		var gone []weak.Pointer[byte]
		for i := range 100 {
			topic := event.Topic(fmt.Sprint("t.", i))
			s := subscribe(t, h, &bell{}, hub.Start{}, topic)
			send(t, bus, string(topic), strings.Repeat("x", 1000))
			blocks, _ := s.Take(nil, 1000)
			gone = append(gone, weak.Make(&blocks[0][0]))
			s.Close()
		}
		time.Sleep(5 * time.Minute)
		report(t, gone, "dropped logs")
		runtime.KeepAlive(h)
	})
}

// Pages that are not shared any more are let go.
func TestExpiredPagesAreFreed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		h, end := run(t, bus, hub.Options{})
		defer end()
		var gone []weak.Pointer[byte]
		for i := range 100 {
			topic := event.Topic(fmt.Sprint("t.", i))
			send(t, bus, string(topic), strings.Repeat("x", 1000))
			s := subscribe(t, h, &bell{}, hub.Start{All: true}, topic)
			s.Take(nil, 1000)
			synctest.Wait()
			blocks, _ := s.Take(nil, 1000)
			gone = append(gone, weak.Make(&blocks[len(blocks)-1][0]))
			s.Close()
		}
		time.Sleep(5 * time.Minute)
		report(t, gone, "pages")
		runtime.KeepAlive(h)
	})
}

// A stream whose client reads nothing holds on to what it is being written,
// and not to the page that this was the end of.
func TestPassedPagesAreFreed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		h, end := run(t, bus, hub.Options{})
		defer end()
		for range 10 {
			send(t, bus, "a", strings.Repeat("x", 1000))
		}
		s := subscribe(t, h, &bell{}, hub.Start{All: true}, "a")
		defer s.Close()
		s.Take(nil, 1)
		synctest.Wait()
		var gone []weak.Pointer[byte]
		for range 10 {
			blocks, state := s.Take(nil, 1)
			if state != hub.More {
				t.Fatal("it has not got all of the page")
			}
			gone = append(gone, weak.Make(&blocks[len(blocks)-1][0]))
		}
		time.Sleep(5 * time.Minute)
		report(t, gone, "a page that the stream has passed")
		runtime.KeepAlive(s)
	})
}

func report(t *testing.T, gone []weak.Pointer[byte], what string) {
	t.Helper()
	for range 3 {
		runtime.GC()
	}
	held := 0
	for _, p := range gone {
		if p.Value() != nil {
			held++
		}
	}
	if held > 0 {
		t.Errorf("%s: %d of %d are still held after 5 minutes", what, held, len(gone))
	}
}

// Whoever comes and goes with ever new topics leaves a bounded number of logs.
func TestIdleLogsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{IdleLogs: 10})
		defer end()
		var cursors []string
		for i := range 30 {
			s := subscribe(t, h, &bell{}, hub.Start{}, event.Topic(fmt.Sprint("t.", i)))
			cursors = append(cursors, s.Cursor())
			s.Close()
			send(t, bus, fmt.Sprint("t.", i), "x")
		}
		for i, cursor := range cursors {
			s := subscribe(t, h, &bell{}, hub.Start{Cursor: cursor}, event.Topic(fmt.Sprint("t.", i)))
			if _, state := s.Take(nil, 1000); (state == hub.Behind) != (i < 20) {
				t.Errorf("log %d of 30: state %d", i, state)
			}
			defer s.Close()
		}
	})
}

// A log lives for the linger after its LAST subscriber left.
func TestLingerBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &troubled{Bus: membus.New(membus.Options{})}
		h, end := run(t, bus, hub.Options{LogLinger: time.Minute})
		defer end()
		subscribe(t, h, &bell{}, hub.Start{}, "a").Close()
		time.Sleep(50 * time.Second)
		s := subscribe(t, h, &bell{}, hub.Start{}, "a")
		cursor := s.Cursor()
		s.Close()
		send(t, bus, "a", "1")
		time.Sleep(40 * time.Second)
		s = subscribe(t, h, &bell{}, hub.Start{Cursor: cursor}, "a")
		defer s.Close()
		if _, state := s.Take(nil, 1000); state == hub.Behind {
			t.Error("the log was dropped 40 s after its last subscriber left")
		}
	})
}

// One node's watermark never lets a Take without room spin.
func TestTakeNothing(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	h := hub.New(bus, hub.Options{LogFrames: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-h.Ready()
	s := subscribe(t, h, &bell{}, hub.Start{}, "a")
	defer s.Close()
	send(t, bus, "a", "1")
	if blocks, state := s.Take(nil, 0); state == hub.Idle {
		t.Errorf("idle with something to say (%d blocks)", len(blocks))
	}
}
