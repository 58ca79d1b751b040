package torture

import (
	"fmt"
	"time"

	"tickertape/internal/referee"
)

// durable are the arguments of a Redis that comes back with all that it
// acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// redisCases harm Redis itself.
func redisCases() []Case {
	return []Case{
		{Name: "sub-killed-once", Fault: "subscriptions killed once", Do: func(r *Run) {
			r.Redis.KillClients("pubsub")
		}},
		{Name: "sub-killed-50", Fault: "subscriptions killed 50 times", Do: func(r *Run) {
			for range 50 {
				r.Flow(r.Rand.IntN(20))
				r.Redis.KillClients("pubsub")
			}
		}},
		{Name: "redis-aof", Fault: "Redis killed, back with its append-only file", Redis: durable, Do: func(r *Run) {
			r.Redis.Restart()
		}},
		{Name: "redis-rdb", Fault: "Redis killed, back from an old snapshot, and again", Loss: referee.MayLose, Do: func(r *Run) {
			r.Redis.Save()
			for range 1 + r.Rand.IntN(2) {
				r.Flow(1 + r.Rand.IntN(300))
				r.Redis.Restart()
			}
		}},
		{Name: "redis-empty", Fault: "Redis killed, back empty", Loss: referee.MustLose, Do: func(r *Run) {
			r.Redis.Kill()
			r.Redis.Wipe()
			r.Redis.Restart()
		}},
		frozen(2), frozen(10), frozen(30),
		{Name: "redis-killed-30s", Fault: "Redis killed for 30 s, back with its append-only file", Redis: durable, Limit: 6 * time.Minute, Do: func(r *Run) {
			r.Redis.Kill()
			r.Last(30 * time.Second)
			r.Redis.Restart()
		}},
		{Name: "out-of-memory", Fault: "Redis' maxmemory reached, and freed", Do: func(r *Run) {
			r.Redis.Must("CONFIG", "SET", "maxmemory", r.Redis.Info("memory", "used_memory"))
			r.refuses()
			r.Redis.Must("CONFIG", "SET", "maxmemory", "0")
		}},
		{Name: "readonly", Fault: "Redis made a replica, and a primary again", Do: func(r *Run) {
			r.Redis.Must("REPLICAOF", "127.0.0.1", "1") // which nobody is
			r.refuses()
			r.Redis.Must("REPLICAOF", "NO", "ONE")
		}},
		{Name: "script-flush", Fault: "`SCRIPT FLUSH` 50 times", Do: func(r *Run) {
			for range 50 {
				r.Flow(r.Rand.IntN(20))
				r.Redis.Must("SCRIPT", "FLUSH")
			}
		}},
	}
}

func frozen(seconds int) Case {
	return Case{Name: fmt.Sprintf("redis-frozen-%ds", seconds), Fault: fmt.Sprintf("Redis frozen for %d s", seconds), Limit: 6 * time.Minute, Do: func(r *Run) {
		r.Redis.Stop()
		r.Last(time.Duration(seconds) * time.Second)
		r.Redis.Cont()
	}}
}

// refuses waits until messages are refused, and for some time more.
func (r *Run) refuses() {
	r.T.Helper()
	before := r.Ledger.Tally().NotStored
	r.Await("messages are refused", func() bool { return r.Ledger.Tally().NotStored > before })
	r.Last(time.Duration(r.Rand.Int64N(int64(3 * time.Second))))
}
