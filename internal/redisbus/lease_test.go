package redisbus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// lent publishes a message with the shortest lease to topic a.
func lent(t *testing.T, bus *redisbus.Bus) event.Receipt {
	t.Helper()
	return sent(t, bus, event.Message{Data: event.Data{Text: "x"}, Lease: event.MinLease})[0]
}

// untilLost waits for topic a to end as ProducerLost, and returns when that was,
// by the store's clock.
func untilLost(t *testing.T, bus *redisbus.Bus) time.Time {
	t.Helper()
	var page event.Page
	eventually(t, "the lease runs out", func() bool {
		var err error
		page, err = bus.History(t.Context(), event.Range{Topic: "a", Upto: end})
		return err == nil && page.End != nil
	})
	if page.End.End != event.ProducerLost || page.End.Position != page.Events[len(page.Events)-1].Position {
		t.Fatalf("it ended as %+v, in %+v", page.End, page)
	}
	return page.End.Position.Time()
}

// nowIn returns how the clock of the store stands.
func nowIn(t *testing.T, bus *redisbus.Bus) time.Time {
	t.Helper()
	var clock event.Clock
	eventually(t, "the clock can be read", func() bool {
		var err error
		clock, err = bus.Clock(t.Context())
		return err == nil
	})
	return clock.Position.Time()
}

// outlive waits until a lease that began with a message has run out, by the clock
// of this machine, which is the store's.
func outlive(t *testing.T, r event.Receipt) {
	t.Helper()
	eventually(t, "its time is over", func() bool {
		return time.Since(r.Cursor.Position.Time()) > event.MinLease+10*time.Millisecond
	})
}

// TestLeasesLastOverOutages has a lease run out while no node can see it: it gets
// its time once more, from when the store is back, and not twice.
func TestLeasesLastOverOutages(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]func(t *testing.T, s *redistest.Server, r event.Receipt){
		"frozen":    func(t *testing.T, s *redistest.Server, r event.Receipt) { s.Stop(); outlive(t, r); s.Cont() },
		"restarted": func(t *testing.T, s *redistest.Server, r event.Receipt) { s.Kill(); outlive(t, r); s.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			bus := openBus(t, redisbus.Options{URL: server.URL})
			openBus(t, redisbus.Options{URL: server.URL})
			r := lent(t, bus)
			outage(t, server, r)
			back := time.Now()
			at := untilLost(t, bus)
			if given := at.Sub(back); given < event.MinLease-50*time.Millisecond || given > 2*event.MinLease+time.Second {
				t.Errorf("it ended %v after the store was back", given)
			}
			if ends := strings.Count(server.Must("XRANGE", "tt:{0}:log:a", "-", "+"), string(event.ProducerLost)); ends != 1 {
				t.Errorf("it ended %d times", ends)
			}
			if due := server.Must("ZCARD", "tt:{0}:due"); due != "0" {
				t.Errorf("%s leases are still due", due)
			}
		})
	}
}

// TestLeaseOverAFailover promotes a replica: the lease gets its time once more
// there, a message renews it, and the end comes once.
func TestLeaseOverAFailover(t *testing.T) {
	t.Parallel()
	old := redistest.Start(t)
	host, port, _ := strings.Cut(old.Addr, ":")
	next := redistest.Start(t, "--replicaof", host+" "+port)
	proxy := redistest.StartProxy(t, old.Addr)
	bus := openBus(t, redisbus.Options{URL: "redis://" + proxy.Addr + "/0"})
	eventually(t, "the replica follows", func() bool { return next.Info("replication", "master_link_status") == "up" })
	r := lent(t, bus)
	eventually(t, "the replica has it", func() bool { return next.Must("ZCARD", "tt:{0}:due") == "1" })
	away(proxy)
	outlive(t, r)
	proxy.Target(next.Addr)
	next.Must("REPLICAOF", "NO", "ONE")
	proxy.Refuse(false)
	eventually(t, "it has its time once more, and some of that is over", func() bool {
		var due int64
		_, _ = fmt.Sscan(next.Must("ZSCORE", "tt:{0}:due", "a"), &due)
		left := time.UnixMilli(due).Sub(nowIn(t, bus))
		return left > 0 && left < event.MinLease*3/4
	})
	renewed := sent(t, bus, event.Message{Data: event.Data{Text: "y"}})[0].Cursor.Position.Time()
	at := untilLost(t, bus)
	if at.Sub(renewed) < event.MinLease {
		t.Errorf("it ended %v after a message", at.Sub(renewed))
	}
	if log := next.Must("XLEN", "tt:{0}:log:a"); log != "3" {
		t.Errorf("the log has %s entries", log)
	}
}

// TestLateMessageRenews has a message come behind the time of its lease, before any
// node has looked.
func TestLateMessageRenews(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	blind := openBus(t, redisbus.Options{URL: server.URL, Beat: time.Hour})
	outlive(t, lent(t, blind))
	late := sent(t, blind, event.Message{Data: event.Data{Text: "late"}})[0].Cursor.Position.Time()
	watcher := openBus(t, redisbus.Options{URL: server.URL})
	if at := untilLost(t, watcher); at.Sub(late) < event.MinLease {
		t.Errorf("it ended %v after a message", at.Sub(late))
	}
	if _, err := send(t, blind, event.Message{Data: event.Data{Text: "too late"}}); !ended(err, event.ProducerLost) {
		t.Errorf("behind the end: %v", err)
	}
}

// TestManyNodesNotice has several nodes look at many leases at once: each topic
// ends once.
func TestManyNodesNotice(t *testing.T) {
	t.Parallel()
	const topics = 120 // more than two pages
	server := redistest.Start(t)
	var buses []*redisbus.Bus
	for range 3 {
		buses = append(buses, openBus(t, redisbus.Options{URL: server.URL, Beat: 10 * time.Millisecond}))
	}
	var batch []event.Message
	for i := range topics {
		batch = append(batch, event.Message{Topic: event.Topic(fmt.Sprint("t", i)), Data: event.Data{Text: "x"}, Lease: event.MinLease})
	}
	sent(t, buses[0], batch...)
	eventually(t, "all have ended", func() bool { return server.Must("ZCARD", "tt:{0}:due") == "0" })
	for i, m := range batch {
		page, err := buses[i%3].History(t.Context(), event.Range{Topic: m.Topic, Upto: end})
		if err != nil || len(page.Events) != 2 || page.Events[1].End != event.ProducerLost || page.Events[1].Prev != page.Events[0].Position {
			t.Fatalf("%s has %+v, %v", m.Topic, page.Events, err)
		}
	}
}

// TestLeaseOutlastsItsTopic has a lease be prolonged, for nobody saw it run out,
// while all else of its topic has expired: the topic ends all the same.
func TestLeaseOutlastsItsTopic(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	limits := event.Retention{Age: event.MinLease}
	blind := openBus(t, redisbus.Options{URL: server.URL, Retention: limits, Beat: time.Hour})
	outlive(t, lent(t, blind))
	server.Must("PEXPIRE", "tt:{0}:meta:a", "900") // it has been away for so long that this is over soon
	back := nowIn(t, blind)
	watcher := openBus(t, redisbus.Options{URL: server.URL, Retention: limits})
	if at := untilLost(t, watcher); at.Sub(back) < event.MinLease {
		t.Errorf("it ended %v after somebody looked", at.Sub(back))
	}
}
