package redisbus_test

import (
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
