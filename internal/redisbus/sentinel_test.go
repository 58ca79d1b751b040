package redisbus_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestSentinelFailovers has the primary move twice by order, and once because
// it dies: nothing is lost, and no gap is told.
func TestSentinelFailovers(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	m := watchMoves(t, s.URL)
	for range 2 {
		m.after(func() {
			caughtUp(t, s.Primary(s.Watch[0]))
			s.Failover()
		})
	}
	m.after(func() {
		former := s.Primary(s.Watch[0])
		caughtUp(t, former)
		former.Kill()
		s.AwaitPrimary(former, s.Watch...)
	})
	m.end()
}

// moves are two nodes that see the primary move.
type moves struct {
	*testing.T
	nodes [2]*node
	live  [2]*stream
	first string // a cursor
	got   []string
}

func watchMoves(t *testing.T, url string) *moves {
	t.Helper()
	m := &moves{T: t}
	for i := range m.nodes {
		m.nodes[i] = startNode(t, redisbus.Options{URL: url})
		m.live[i] = m.nodes[i].open(hub.Start{}, "a", "b")
	}
	m.first = tell(t, m.nodes[0].bus, "b", "first")[0]
	for _, s := range m.live {
		s.expect("b first")
	}
	return m
}

// after checks that all goes on after a move.
func (m *moves) after(move func()) {
	m.Helper()
	move()
	text := fmt.Sprint("move ", len(m.got))
	tell(m.T, m.nodes[0].bus, "a", text)
	tell(m.T, m.nodes[1].bus, "b", text)
	expected := fmt.Sprintf("a %s, b %s", text, text)
	for _, s := range m.live {
		s.expect(expected)
	}
	m.got = append(m.got, expected)
}

// end checks that all is still there.
func (m *moves) end() {
	m.Helper()
	m.nodes[1].resume(m.first, "a", "b").expect(strings.Join(m.got, ", "))
}

// TestSentinelPrimaryLost kills the primary before its replicas have its last
// events: their topics are told to have lost some, live and on return, and no
// others are.
func TestSentinelPrimaryLost(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	primaryLost(t, s.URL, s.Servers[0], s.Servers[1:], func() { s.AwaitPrimary(s.Servers[0], s.Watch...) })
}

// primaryLost kills the primary and waits until it has a successor.
func primaryLost(t *testing.T, url string, primary *redistest.Member, replicas []*redistest.Member, succeed func()) {
	t.Helper()
	a, b := startNode(t, redisbus.Options{URL: url}), startNode(t, redisbus.Options{URL: url})
	all := []event.Topic{"lost", "new", "whole"}
	live, liveB := a.open(hub.Start{}, all...), b.open(hub.Start{}, all...)
	kept := tell(t, a.bus, "lost", "1")[0]
	tell(t, a.bus, "whole", "1")
	live.expect("lost 1, whole 1")
	liveB.expect("lost 1, whole 1")
	caughtUp(t, primary)
	primary.HoldReplicas(replicas...)
	gone := tell(t, a.bus, "lost", "gone 1")
	gone = append(gone, tell(t, a.bus, "new", "gone 2")...) // a topic that the replicas never heard of
	live.expect("lost gone 1, new gone 2")
	primary.Lose()
	succeed()
	tell(t, b.bus, "whole", "2")
	settled(t, a, b)
	tell(t, b.bus, "whole", "3")
	live.apart("whole 2, whole 3", "gap lost store_lost, gap new store_lost")
	for _, n := range []*node{a, b} {
		n.resume(kept, all...).apart("whole 1, whole 2, whole 3", "gap lost store_lost, gap new store_lost")
		n.resume(gone[0], all...).apart("whole 2, whole 3", "gap lost store_lost, gap new store_lost")
		n.resume(gone[1], "whole").expect("whole 2, whole 3")
		n.open(hub.Start{All: true}, "whole").expect("whole 1, whole 2, whole 3")
	}
	got := strings.Join(liveB.ends("whole 3"), ", ")
	for _, want := range []string{"gap lost store_lost", "gap new store_lost"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("the other node's client got %s", got)
		}
	}
}

// caughtUp waits until both replicas have acknowledged what the primary has now.
// WAIT does not tell: it asks for what its own connection has written.
func caughtUp(t *testing.T, primary *redistest.Member) {
	t.Helper()
	offset := func(text string) int {
		_, text, _ = strings.Cut(text, "offset=")
		text, _, _ = strings.Cut(text, ",")
		n, _ := strconv.Atoi(text)
		return n
	}
	upto := offset("offset=" + primary.Info("replication", "master_repl_offset"))
	eventually(t, "the replicas have what the primary has", func() bool {
		return min(offset(primary.Info("replication", "slave0")), offset(primary.Info("replication", "slave1"))) >= upto
	})
}

// TestSentinelPartition cuts the primary and a Sentinel off from the others,
// but from no node: the nodes leave it as soon as there is another one. What
// it took meanwhile is told to be lost.
func TestSentinelPartition(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	old := s.Servers[0]
	lesser := redistest.Side{Members: []*redistest.Member{old, s.Watch[0]}}
	greater := redistest.Side{Members: append(s.Servers[1:], s.Watch[1:]...)}
	leaveOldPrimary(t, s.URL, old, lesser, greater, func() *redistest.Member { return s.AwaitPrimary(old, s.Watch[1:]...) })
}

// leaveOldPrimary parts the network between both sides and waits until the old
// primary, which stands on the lesser one, has a successor.
func leaveOldPrimary(t *testing.T, url string, old *redistest.Member, lesser, greater redistest.Side, succeed func() *redistest.Member) {
	t.Helper()
	n := startNode(t, redisbus.Options{URL: url})
	live := n.open(hub.Start{}, "a", "b")
	first := tell(t, n.bus, "a", "1")[0]
	live.expect("a 1")
	if _, err := n.bus.Topics(t.Context(), nil, "", 10); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, old)
	redistest.Part(lesser, greater)
	tell(t, n.bus, "a", "gone")
	live.expect("a gone")
	next := succeed()
	eventually(t, "the node writes to the new primary", func() bool {
		tell(t, n.bus, "probe", "x")
		return next.Must("EXISTS", "tt:{0}:log:probe") == "1"
	})
	tell(t, n.bus, "b", "1")
	live.until("the event and the loss come", func() bool { return len(live.got) >= 2 })
	tell(t, n.bus, "a", "2")
	live.apart("b 1, a 2", "gap a store_lost")
	s := n.resume(first, "a")
	s.expect("gap a store_lost, a 2")
	redistest.Heal(append(lesser.Members, greater.Members...)...)
	eventually(t, "the old primary is a replica", func() bool {
		role, err := old.Do("ROLE") // a Sentinel that demotes it cuts its connections too
		return err == nil && strings.HasPrefix(role, "slave")
	})
	tell(t, n.bus, "a", "3")
	live.expect("a 3")
	s.expect("a 3")
}

// TestSentinelSides cuts the network so that a node on each side sees that
// side only, and a third one sees both: it goes with the greater one. The node with the old primary learns that it has to leave when
// the network is whole again.
func TestSentinelSides(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	old := s.Servers[0]
	lesser := redistest.Side{Members: []*redistest.Member{old, s.Watch[0]}, Hosts: []string{"127.0.2.1"}}
	greater := redistest.Side{Members: append(s.Servers[1:], s.Watch[1:]...), Hosts: []string{"127.0.2.2"}}
	a := startNode(t, redisbus.Options{URL: s.URL, Dial: redistest.DialFrom("127.0.2.1").DialContext})
	b := startNode(t, redisbus.Options{URL: s.URL, Dial: redistest.DialFrom("127.0.2.2").DialContext})
	both := startNode(t, redisbus.Options{URL: s.URL})
	liveA, liveB, liveBoth := a.open(hub.Start{}, "a", "b"), b.open(hub.Start{}, "a", "b"), both.open(hub.Start{}, "b")
	first := tell(t, a.bus, "a", "1")[0]
	liveA.expect("a 1")
	liveB.expect("a 1")
	caughtUp(t, old)

	redistest.Part(lesser, greater)
	s.AwaitPrimary(old, s.Watch[1:]...)
	gone := tell(t, a.bus, "a", "gone 1", "gone 2")
	liveA.expect("a gone 1, a gone 2")
	tell(t, b.bus, "b", "1", "2")
	liveB.expect("b 1, b 2")
	liveBoth.expect("b 1, b 2") // though the old primary still speaks to it

	redistest.Heal(append(lesser.Members, greater.Members...)...)
	liveA.until("all comes", func() bool { return len(liveA.got) >= 3 })
	settled(t, a, b)
	tell(t, a.bus, "a", "2")
	tell(t, b.bus, "b", "3")
	liveA.apart("b 1, b 2, a 2, b 3", "gap a store_lost")
	liveB.expect("gap a store_lost, a 2, b 3")
	for _, n := range []*node{a, b} {
		n.resume(first, "a", "b").apart("b 1, b 2, a 2, b 3", "gap a store_lost")
		n.resume(gone[1], "a").expect("gap a store_lost, a 2")
	}
}

// TestFewReplicas has a primary that takes nothing while no replica hears it:
// what is published when it is cut off waits for its successor.
func TestFewReplicas(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")
	old := s.Servers[0]
	n := startNode(t, redisbus.Options{URL: s.URL})
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1")
	live.expect("a 1")
	caughtUp(t, old)
	lesser := redistest.Side{Members: []*redistest.Member{old, s.Watch[0]}}
	greater := redistest.Side{Members: append(s.Servers[1:], s.Watch[1:]...)}
	// No replica is heard, and there is no other primary yet.
	for _, m := range s.Watch[1:] {
		m.Stop()
	}
	redistest.Part(lesser, greater)
	eventually(t, "the primary refuses", func() bool {
		err := n.bus.Ready()
		return err != nil && strings.Contains(err.Error(), "fewer replicas than min-replicas-to-write")
	})
	done := begin(t, n.bus, patience, "2", "")
	for _, m := range s.Watch[1:] {
		m.Cont()
	}
	if o := <-done; o.err != nil {
		t.Errorf("the publish ended with %v", o.err)
	}
	live.expect("a 2")
}

// TestSentinelsAway has the Sentinels die, one after the other, and come back:
// the primary goes on working, also for connections that are made anew.
func TestSentinelsAway(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	n := startNode(t, redisbus.Options{URL: s.URL})
	live := n.open(hub.Start{}, "a")
	check := func(text string) {
		t.Helper()
		tell(t, n.bus, "a", text)
		live.expect("a " + text)
	}
	check("1")
	s.Watch[0].Stop() // says nothing, instead of being away
	s.Watch[1].Kill()
	s.Servers[0].KillClients("normal")
	s.Servers[0].KillClients("pubsub")
	check("2")
	s.Watch[2].Kill()
	s.Servers[0].KillClients("normal")
	s.Servers[0].KillClients("pubsub")
	check("3")
	eventually(t, "the node is ready", func() bool { return n.bus.Ready() == nil })
	fresh := openBus(t, redisbus.Options{URL: s.URL})
	eventually(t, "a new node says why it does not begin", func() bool {
		err := fresh.Ready()
		return err != nil && strings.Contains(err.Error(), "no Sentinel says where the primary is: the connection to Redis failed")
	})
	s.Watch[0].Cont()
	s.RestartSentinel(s.Watch[1])
	s.RestartSentinel(s.Watch[2])
	eventually(t, "the new node is ready", func() bool { return fresh.Ready() == nil })
	s.AwaitPrimary(nil, s.Watch...)
	s.Failover()
	check("4")
}

// TestSilentSentinel has one of three Sentinels say nothing: the others are
// not waited for it for long.
func TestSilentSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	s.Watch[1].Stop()
	least := time.Hour
	for range 3 {
		dials := make(chan time.Time, 100)
		begin := time.Now()
		openBus(t, redisbus.Options{URL: s.URL, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == s.Servers[0].Proxy.Addr {
				dials <- time.Now()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
		least = min(least, (<-dials).Sub(begin))
	}
	// A lookup may take a second, and ends 200 ms after the second answer.
	if least > 700*time.Millisecond {
		t.Errorf("it took %v to find the primary", least)
	}
}

// TestSentinelFaults are what keeps a node from finding the primary.
func TestSentinelFaults(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t, "--requirepass", "sesame", "--masterauth", "sesame")
	alone := redistest.Start(t)
	name := s.URL[strings.LastIndex(s.URL, "/"):strings.Index(s.URL, "?")]
	for what, c := range map[string]struct {
		url, want string
		lasting   bool
	}{
		"another name":            {strings.Replace(s.URL, name+"?", "/other?", 1), "the Sentinels know no primary of that name", false},
		"no Sentinel":             {"redis+sentinel://" + alone.Addr + name, "what answers there is no Sentinel", false},
		"a Sentinel as a Redis":   {"redis://:sesame@" + s.Watch[0].Addr, "this is a Redis Sentinel; --redis names it as redis+sentinel://", false},
		"no Sentinels' password":  {strings.Replace(s.URL, "?sentinel_password=sesame", "", 1), "the Sentinels want a password", true},
		"a wrong one":             {strings.Replace(s.URL, "_password=sesame", "_password=hunter2", 1), "wrong user name or password for the Sentinels", true},
		"no password":             {strings.Replace(s.URL, "default:sesame@", "", 1), "a password is needed", true},
		"a replica":               {"redis://:sesame@" + s.Servers[1].Addr, "this Redis is a replica, and --redis must name the primary, or who knows it", false},
		"nobody":                  {"redis+sentinel://127.0.0.1:1,no.such.host.invalid/name", "no Sentinel says where the primary is: the connection to Redis failed", false},
		"a Cluster that is none":  {"redis+cluster://" + alone.Addr, "what answers there is no Redis Cluster", false},
		"a Cluster with password": {"redis+cluster://" + s.Servers[0].Addr, "a password is needed", true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bus := openBus(t, redisbus.Options{URL: c.url})
			ended := run(t, bus)
			eventually(t, "Ready says "+c.want, func() bool {
				err := bus.Ready()
				return err != nil && strings.Contains(err.Error(), c.want)
			})
			// Nor has it tried to write to a replica.
			if text := bus.Ready().Error(); strings.Contains(text, "127.0.0.1") || strings.Contains(text, "hunter2") || strings.Contains(text, "READONLY") {
				t.Errorf("an address, a password or an attempt stands in %q", text)
			}
			if c.lasting {
				says(t, <-ended, c.want)
			}
		})
	}
}

// TestPasswords reaches servers and those who know them by passwords, and a
// database that is not the first.
func TestPasswords(t *testing.T) {
	t.Parallel()
	args := []string{"--requirepass", "sesame", "--masterauth", "sesame"}
	s, c := redistest.StartSentinels(t, args...), redistest.StartCluster(t, args...)
	for _, url := range []string{strings.Replace(s.URL, "?", "/1?", 1), c.URL} {
		n := startNode(t, redisbus.Options{URL: url})
		live := n.open(hub.Start{}, "a")
		tell(t, n.bus, "a", "1")
		live.expect("a 1")
	}
	if got := s.Servers[0].Must("-n", "1", "XLEN", "tt:{0}:log:a"); got != "1" {
		t.Errorf("database 1 has %s events", got)
	}
}
