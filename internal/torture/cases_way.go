package torture

import (
	"strconv"
	"strings"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/redistest"
)

// wayCases harm what lies between hubs and Redis.
func wayCases() []Case {
	return []Case{
		halfOpen("up", "to Redis", redistest.Up),
		halfOpen("down", "from Redis", redistest.Down),
		halfOpen("both", "both ways", redistest.Both),
		{Name: "deaf", Fault: "a hub's subscription is dead, and nobody is told", Do: func(r *Run) {
			h := r.AnyHub()
			subscription := r.deafen(h)
			r.Await("the dead subscription is left", func() bool { return !strings.Contains(r.subscriptions(), subscription) })
		}},
		delayed("", "all packets to and from Redis come 3 s late, for 10 s", redistest.Both),
		delayed("-down", "Redis' answers come 3 s late, for 10 s", redistest.Down),
		{Name: "replies-lost", Fault: "a hub's connections break when Redis has its requests, 10 times", Do: func(r *Run) {
			for range 10 {
				h := r.AnyHub()
				h.Redis.Stall(redistest.Down)
				upto := r.scripts() + 5 + r.Rand.IntN(20)
				r.Await("Redis runs scripts", func() bool { return r.scripts() >= upto })
				h.Redis.Cut()
				h.Redis.Resume()
			}
		}},
		{Name: "output-buffer", Fault: "Redis cuts off a hub that hears too slowly", Do: outputBuffer},
	}
}

// halfOpen has all bytes of one hub's connections vanish on the way, until the
// hub has noticed and for some time more.
func halfOpen(name, words string, d redistest.Direction) Case {
	return Case{Name: "half-open-" + name, Fault: "a hub's connections swallow bytes " + words, On: onWays, Do: func(r *Run) {
		h := r.AnyHub()
		h.Redis.Stall(d)
		r.Await("the hub is not ready", func() bool { return !h.Ready() })
		r.Last(time.Duration(r.Rand.Int64N(int64(5 * time.Second))))
		h.Redis.Resume()
	}}
}

func delayed(name, words string, d redistest.Direction) Case {
	return Case{Name: "delayed-3s" + name, Fault: words, On: onWays, Do: func(r *Run) {
		for _, h := range r.Hubs {
			h.Redis.Delay(d, 3*time.Second)
		}
		r.Last(10 * time.Second)
		for _, h := range r.Hubs {
			h.Redis.Delay(d, 0)
		}
	}}
}

// scripts returns how many scripts Redis has run.
func (r *Run) scripts() int {
	r.T.Helper()
	calls, _, _ := strings.Cut(strings.TrimPrefix(r.Redis.Info("commandstats", "cmdstat_evalsha"), "calls="), ",")
	n, err := strconv.Atoi(calls)
	if err != nil {
		r.T.Fatal(err)
	}
	return n
}

// subscriptions returns Redis' list of them.
func (r *Run) subscriptions() string {
	r.T.Helper()
	return r.Redis.Must("CLIENT", "LIST", "TYPE", "pubsub")
}

// deafen makes a hub's subscription silent for good, and returns the address
// that Redis knows it by.
func (r *Run) deafen(h *Hub) string {
	r.T.Helper()
	for field := range strings.FieldsSeq(r.subscriptions()) {
		if addr, ok := strings.CutPrefix(field, "addr="); ok && h.Redis.Deafen(addr) {
			return field
		}
	}
	r.T.Fatal("the hub has no subscription")
	return ""
}

// outputBuffer has a hub hear nothing while so much is published that Redis
// gives it up.
func outputBuffer(r *Run) {
	r.Redis.Must("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 512kb 1")
	slow := r.AnyHub()
	slow.Redis.Delay(redistest.Down, time.Hour)
	other := r.Hubs[0]
	if other == slow {
		other = r.Hubs[1]
	}
	direct, err := client.New("http://"+other.Addr, client.Options{})
	if err != nil {
		r.T.Fatal(err)
	}
	defer direct.Close()
	// Large messages to a topic of nobody: all hubs hear everything.
	large := event.Message{Topic: "torture.large", Data: event.Data{Text: strings.Repeat("x", 250<<10)}}
	r.Await("Redis gives the hub up", func() bool {
		if _, err := direct.Publish(r.T.Context(), large); err != nil {
			r.T.Fatal(err)
		}
		return strings.Count(r.subscriptions(), "laddr=") < len(r.Hubs)
	})
	slow.Redis.Delay(redistest.Down, 0)
}
