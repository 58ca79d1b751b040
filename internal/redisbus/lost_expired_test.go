package redisbus_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// A topic that lost something, of which all that it had kept expires after
// that: what stood before the loss has expired, and is not lost. Positions are
// ahead of the store's clock, as they are when that was set back, so their age
// does not tell.
func TestExpiredBeforeALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	age := 2 * time.Second
	bus := openBus(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: age}})
	tell(t, bus, "other", "x")
	future := event.Position{MS: uint64(time.Now().UnixMilli()) + 3_600_000}
	server.Must("HSET", "tt:{0}:clock", "last", future.String())
	kept := position(t, tell(t, bus, "a", "kept")[0])
	server.Save()
	tell(t, bus, "a", "lost")
	server.Kill()
	server.Restart()
	eventually(t, "the loss is told", func() bool { return server.Must("HGET", "tt:{0}:meta:a", "lost") != "" })
	if length := server.Must("XLEN", "tt:{0}:log:a"); length != "1" {
		t.Fatalf("the log has %s entries when the loss is told: this test is about one that expires later", length)
	}
	lost, err := event.ParsePosition(server.Must("HGET", "tt:{0}:meta:a", "lost"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log expires", func() bool { return server.Must("EXISTS", "tt:{0}:log:a") == "0" })
	expired := event.Gap{Position: kept, Since: kept.Add(age), Reason: event.Expired}
	before, gone := lost.Previous(), event.Gap{Position: lost, Since: lost, Reason: event.StoreLost}
	read(t, bus, event.Position{}, before, expired)
	read(t, bus, kept, end, gone)
	next := tell(t, bus, "a", "next")
	read(t, bus, event.Position{}, before, expired)
	read(t, bus, kept, end, gone, next...)
}

// lose has the server lose an event of topic a, and returns where that is told.
func lose(t *testing.T, bus *redisbus.Bus, server *redistest.Server) (at event.Position) {
	t.Helper()
	server.Save()
	before := server.Must("HGET", "tt:{0}:meta:a", "lost")
	tell(t, bus, "a", "lost"+before)
	server.Kill()
	server.Restart()
	eventually(t, "the loss is told", func() bool { return server.Must("HGET", "tt:{0}:meta:a", "lost") != before })
	at, err := event.ParsePosition(server.Must("HGET", "tt:{0}:meta:a", "lost"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A topic that lost something twice, and an event from before that which has
// become too old since: that is told as of when it went, apart from the loss.
func TestTooOldBeforeTwoLosses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	age := 3 * time.Second
	bus := openBus(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: age}})
	after := func(p event.Position, d time.Duration) func() bool {
		return func() bool { return time.Since(p.Time()) > d }
	}
	kept := position(t, tell(t, bus, "a", "kept")[0])
	first := lose(t, bus, server)
	eventually(t, "the first event is older than the next", after(kept, age/2))
	next := position(t, tell(t, bus, "a", "next")[0])
	second := lose(t, bus, server)
	eventually(t, "the first event is too old", after(kept, age+10*time.Millisecond))

	expired := event.Gap{Position: kept, Since: kept.Add(age), Reason: event.Expired}
	page := history(t, bus, event.Position{}, end)
	want := []event.Gap{expired, {Position: first, Since: first, Reason: event.StoreLost}, {Position: second, Since: second, Reason: event.StoreLost}}
	if len(page.Events) != 1 || page.Events[0].Position != next || !slices.Equal(page.Gaps, want) {
		t.Errorf("it has %+v, want %v and %+v", page, next, want)
	}
	read(t, bus, event.Position{}, kept.Next(time.Time{}), expired)

	last := position(t, tell(t, bus, "a", "last")[0]) // which has the first event cut off
	page = history(t, bus, event.Position{}, end)
	want = []event.Gap{{Position: first, Since: kept.Add(age), Reason: event.StoreLost}, {Position: second, Since: second, Reason: event.StoreLost}}
	if len(page.Events) != 2 || page.Events[1].Position != last || !slices.Equal(page.Gaps, want) {
		t.Errorf("once that is cut off, it has %+v, want %v, %v and %+v", page, next, last, want)
	}
}

// A topic that lost something twice, of which all has expired since: what led up
// to the first loss went with the rest. Who asked for it when it was there is
// told, also if he reads only up to there.
func TestAllExpiredSinceTwoLosses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	age := time.Hour
	bus := openBus(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: age}})
	tell(t, bus, "a", "kept")
	first := lose(t, bus, server)
	tell(t, bus, "a", "next")
	lose(t, bus, server)
	server.Must("DEL", "tt:{0}:log:a") // as it is when the newest is too old
	read(t, bus, event.Position{}, first, event.Gap{Position: first, Since: first.Add(age), Reason: event.StoreLost})
}

// A loss is no event: what a topic has does not live longer for it, and the books
// do not say so. Else the next event would not have it live longer either.
func TestLossLeavesTheLogItsTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: 5 * time.Second}})
	kept := position(t, tell(t, bus, "a", "kept")[0])
	eventually(t, "another event would have the log live longer", func() bool { return time.Since(kept.Time()) > 100*time.Millisecond })
	lose(t, bus, server)
	until, err := strconv.ParseInt(server.Must("HGET", "tt:{0}:meta:a", "until"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	left, err := strconv.ParseInt(server.Must("PTTL", "tt:{0}:log:a"), 10, 64)
	if now := time.Now().UnixMilli(); err != nil || until > now+left {
		t.Errorf("the books say that the log lives until %d, at %d it had %d ms (%v)", until, now, left, err)
	}
}
