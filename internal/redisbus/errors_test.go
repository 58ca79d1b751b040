package redisbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// deaf is a sink of which nothing is asked.
type deaf struct{}

func (deaf) Feed(event.Stretch)    {}
func (deaf) Topics() []event.Topic { return nil }

// run runs a feed of the bus, and returns a channel with its end.
func run(t *testing.T, bus *redisbus.Bus) <-chan error {
	t.Helper()
	return runSink(t, bus, deaf{})
}

func runSink(t *testing.T, bus *redisbus.Bus, sink event.Sink) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() { defer close(gone); ended <- bus.Run(ctx, sink) }()
	t.Cleanup(func() { cancel(); <-gone })
	return ended
}

// TestLastingFaults are those that end a node when it starts: they do not mend
// by themselves.
func TestLastingFaults(t *testing.T) {
	t.Parallel()
	open := redistest.Start(t)
	closed := redistest.Start(t, "--requirepass", "sesame")
	open.Must("ACL", "SETUSER", "poor", "on", ">pw", "~*", "&*", "+@read")
	for name, c := range map[string]struct{ url, want string }{
		"wrong password":   {"redis://:wrong-one@" + closed.Addr, "wrong user name or password"},
		"no password":      {"redis://" + closed.Addr, "a password is needed"},
		"unknown user":     {"redis://nobody:secret-pw@" + open.Addr, "wrong user name or password"},
		"too few rights":   {"redis://poor:pw@" + open.Addr, "may not do what a hub needs"},
		"no such database": {open.URL[:len(open.URL)-1] + "99", "does not have that database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := openBus(t, redisbus.Options{URL: c.url})
			select {
			case err := <-run(t, bus):
				says(t, err, c.want)
			case <-time.After(patience):
				t.Errorf("Run waits; Ready says %v", bus.Ready())
			}
			says(t, bus.Ready(), c.want)
			_, err := publish(t, bus, "x")
			says(t, err, c.want)
			if strings.Contains(err.Error(), "wrong-one") || strings.Contains(err.Error(), "secret-pw") {
				t.Errorf("the password stands in %v", err)
			}
		})
	}
}

// TestPassingFaults are those that a node waits out.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	full := redistest.Start(t, "--maxmemory", "1mb")
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for name, c := range map[string]struct{ url, want string }{
		"a replica":    {replica.URL, "this Redis is a replica, and --redis must name the primary"},
		"full":         {full.URL, "Redis is full (maxmemory)"},
		"nobody":       {"redis://127.0.0.1:1", "the connection to Redis failed"},
		"not a Redis":  {"redis://" + web.Listener.Addr().String(), "what answers there is no Redis"},
		"not by TLS":   {strings.Replace(primary.URL, "redis:", "rediss:", 1), "the connection to Redis failed"},
		"unknown name": {"redis://no.such.host.invalid:6379", "the connection to Redis failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := openBus(t, redisbus.Options{URL: c.url})
			ended := run(t, bus)
			eventually(t, "Ready says "+c.want, func() bool {
				err := bus.Ready()
				return err != nil && strings.Contains(err.Error(), c.want)
			})
			// Once its time may be over right while the server refuses it.
			eventually(t, "a publish is known not to be stored", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				_, err := bus.Publish(ctx, []event.Message{{Topic: "a", Data: event.Data{Text: "x"}}})
				says(t, err, c.want)
				var passing *event.UnavailableError
				return errors.As(err, &passing) && !passing.MaybeStored
			})
			select {
			case err := <-ended:
				t.Errorf("Run gave up: %v", err)
			default:
			}
		})
	}
}

func publish(t *testing.T, bus *redisbus.Bus, text string) (event.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	receipts, err := bus.Publish(ctx, []event.Message{{Topic: "a", Data: event.Data{Text: text}}})
	if err != nil {
		return event.Receipt{}, err
	}
	return receipts[0], nil
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

// TestFullStore fills the store and empties it again, while a node runs.
func TestFullStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	run(t, bus)
	eventually(t, "it is ready", func() bool { return bus.Ready() == nil })
	server.Must("CONFIG", "SET", "maxmemory", "1")
	_, err := publish(t, bus, "x")
	says(t, err, "Redis is full (maxmemory)")
	eventually(t, "Ready says it", func() bool { return bus.Ready() != nil })
	says(t, bus.Ready(), "Redis is full (maxmemory)")
	server.Must("CONFIG", "SET", "maxmemory", "0")
	eventually(t, "it is ready again", func() bool { return bus.Ready() == nil })
	if _, err := publish(t, bus, "x"); err != nil {
		t.Error(err)
	}
}

// TestEvictionPolicy has a server that may drop what it should keep.
func TestEvictionPolicy(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	bus := openBus(t, redisbus.Options{URL: server.URL})
	run(t, bus)
	eventually(t, "the bus works", func() bool { _, err := publish(t, bus, "x"); return err == nil })
	eventually(t, "Ready speaks of the policy", func() bool {
		err := bus.Ready()
		return err != nil && strings.Contains(err.Error(), "maxmemory-policy of Redis is allkeys-lru")
	})
	server.Must("CONFIG", "SET", "maxmemory-policy", "noeviction")
	eventually(t, "Ready sees that it was set right", func() bool { return bus.Ready() == nil })
}

// TestUserRights runs a bus with just the rights that the advice names.
func TestUserRights(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Must("ACL", "SETUSER", "hub", "on", ">pw")
	o := redisbus.Options{URL: "redis://hub:pw@" + server.Addr + "/1", Retention: event.Retention{Age: event.MinLease, Messages: 2}}
	err := <-run(t, openBus(t, o))
	says(t, err, "ACL SETUSER name ")
	_, rights, _ := strings.Cut(err.Error(), "ACL SETUSER name ")
	rights, _, _ = strings.Cut(rights, " gives ")
	server.Must(append([]string{"ACL", "SETUSER", "hub"}, strings.Fields(rights)...)...)

	server.Must("ACL", "LOG", "RESET")
	n := startNode(t, o)
	live := n.open(hub.Start{}, "a")
	tell(t, n.bus, "a", "1", "2", "3")
	live.expect("a 1, a 2, a 3")
	if _, err := n.bus.History(t.Context(), event.Range{Topic: "a", Upto: event.Position{MS: 1 << 47}, Last: 1}); err != nil {
		t.Error(err)
	}
	if infos, err := n.bus.Topics(t.Context(), nil, "", 10); err != nil || len(infos) != 1 {
		t.Errorf("topics %v, %v", infos, err)
	}
	if err := n.bus.Spend(t.Context(), event.Allowance{Name: "x", PerSecond: 1}, 1); err != nil {
		t.Error(err)
	}
	server.KillClients("normal")
	tell(t, n.bus, "a", "4")
	server.KillClients("pubsub")
	live.expect("a 4")
	server.Must("-n", "1", "HSET", "tt:{0}:clock", "run", "another")
	tell(t, n.bus, "a", "5")
	live.expect("a 5")
	table := openBus(t, redisbus.Options{URL: o.URL, Rules: one(t, event.KindLatest, 1), Retention: o.Retention})
	leased := cell("k=1")
	leased.Topic, leased.Lease = "a.leased", event.MinLease
	sent(t, table, append([]event.Message{leased}, cells("k=1", "k=2", "k=null", "l=null")...)...)
	sent(t, table, endWith("", event.Completed))
	if _, err := table.Active(t.Context(), one(t, event.KindLatest, 1)[1].Selector, event.Position{}, 10); err != nil {
		t.Error(err)
	}
	eventually(t, "the sweep comes", func() bool { return server.Must("-n", "1", "ZCARD", "tt:{0}:topics") == "0" })
	if denied := server.Must("ACL", "LOG"); denied != "" {
		t.Errorf("denied: %s", denied)
	}
}

// TestUnixSocket reaches Redis by a socket in the file system.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	server := redistest.Start(t, "--unixsocket", socket, "--unixsocketperm", "700")
	n := startNode(t, redisbus.Options{URL: "unix://" + socket + "?db=3"})
	tell(t, n.bus, "a", "1")
	if keys := server.Must("-n", "3", "EXISTS", "tt:{0}:log:a"); keys != "1" {
		t.Errorf("database 3 has %s", keys)
	}
	if want := fmt.Sprintf("Redis at %s, database 3", socket); n.bus.Name() != want {
		t.Errorf("its name is %q, want %q", n.bus.Name(), want)
	}
}

// TestRefusalInOldWords has a server refuse as Redis 6.2 does, where an error
// inside a script comes wrapped in another one: a replica is known for one, and
// the publish waits for the primary.
func TestRefusalInOldWords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	addr := rewritten(t, server.Addr, func(answer []byte) []byte {
		return bytes.Replace(answer, []byte("-READONLY "),
			[]byte("-ERR Error running script (call to f_0): @user_script:7: @user_script: 7: -READONLY "), 1)
	})
	bus := openBus(t, redisbus.Options{URL: "redis://" + addr + "/0"})
	tell(t, bus, "a", "1")
	server.Must("REPLICAOF", "127.0.0.1", "1")
	done := begin(t, bus, 10*time.Second, "2", "")
	eventually(t, "the bus says that it is a replica", func() bool {
		err := bus.Ready()
		return err != nil && strings.Contains(err.Error(), "this Redis is a replica")
	})
	server.Must("REPLICAOF", "NO", "ONE")
	if o := <-done; o.err != nil {
		t.Errorf("the publish ended with %v", o.err)
	}
}
