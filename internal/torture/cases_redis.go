package torture

// durable are the arguments of a Redis that comes back with all that it
// acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// redisCases harm Redis, and the ways to it.
func redisCases() []Case {
	return []Case{
		{Name: "sub-killed-once", Fault: "subscriptions killed once", Do: func(r *Run) {
			r.Redis.KillClients("pubsub")
		}},
		{Name: "sub-killed-50", Fault: "subscriptions killed 50 times", Do: func(r *Run) {
			for range 50 {
				r.Flow(r.Rand.IntN(40))
				r.Redis.KillClients("pubsub")
			}
		}},
		{Name: "redis-aof", Fault: "Redis killed, back with its append-only file", Redis: durable, Do: func(r *Run) {
			r.Redis.Restart()
		}},
	}
}
