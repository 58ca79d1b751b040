package torture

import (
	"net"
	"strings"
	"time"

	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// soon has a primary send its data to a replica at once.
var soon = []string{"--repl-diskless-sync-delay", "0"}

// failoverCases lead the hubs to another server, behind the same address.
func failoverCases() []Case {
	return []Case{
		{Name: "failover", Moves: true, Fault: "Redis hands over to its replica, and goes on answering as one", Redis: soon, Do: func(r *Run) {
			r.handOver(redistest.Start(r.T, r.replica()...))
		}},
		{Name: "failover-late", Moves: true, Fault: "Redis hands over to a replica whose clock is an hour behind its own", Redis: soon, Do: func(r *Run) {
			r.late++
			r.handOver(redistest.StartLate(r.T, time.Duration(r.late)*time.Hour, r.replica()...))
		}},
		{Name: "empty-late", Moves: true, Fault: "Redis killed, in its place an empty one whose clock is an hour behind", Loss: referee.MustLose, Do: func(r *Run) {
			r.late++
			old := r.Redis
			r.lead(redistest.StartLate(r.T, time.Duration(r.late)*time.Hour))
			old.Kill()
		}},
		{Name: "reads-astray", Moves: true, Fault: "Redis hands over to its replica; what a hub connects anew leads back to it, and it answers without following", Redis: soon, Do: readsAstray},
		{Name: "two-primaries", Moves: true, Fault: "a replica made a primary while the old one goes on: hubs hear one and write to the other, until it is killed", Redis: soon, Loss: referee.MayLose, Do: twoPrimaries},
	}
}

// replica returns the arguments of a server that follows the present one.
func (r *Run) replica() []string {
	host, port, err := net.SplitHostPort(r.Redis.Addr)
	if err != nil {
		r.T.Fatal(err)
	}
	return append([]string{"--replicaof", host + " " + port}, soon...)
}

// lead leads new connections of all hubs to another server.
func (r *Run) lead(next *redistest.Server) {
	next.Leads()
	r.Redis, r.url = next, next.URL // hubs to come begin there
	for _, h := range r.Hubs {
		h.Redis.Target(next.Addr)
	}
}

func (r *Run) awaitSync(next *redistest.Server) {
	r.T.Helper()
	r.Await("the replica has all data", func() bool { return next.Info("replication", "master_link_status") == "up" })
}

// handOver makes a replica the primary, with nothing lost. The old one follows
// it, and is killed when there has been some traffic.
func (r *Run) handOver(next *redistest.Server) {
	r.T.Helper()
	old := r.promote(next)
	r.Last(time.Duration(r.Rand.Int64N(int64(time.Second))))
	r.lead(next)
	r.Flow(200 + r.Rand.IntN(500))
	r.Ready()
	old.Kill()
}

// promote makes a replica the primary, and returns the former one.
func (r *Run) promote(next *redistest.Server) (former *redistest.Server) {
	r.T.Helper()
	r.awaitSync(next)
	former = r.Redis
	former.Must("FAILOVER")
	r.Await("the replica is the primary", func() bool { return next.Info("replication", "role") == "master" })
	return former
}

// readsAstray makes a replica the primary, and leads the connections that a hub
// makes after that to the former one, as a name that stands for both of them
// would. These are those that it reads by when a client comes back for events
// that it has not in memory, and that the former primary has not, either.
func readsAstray(r *Run) {
	order, topic := r.Rand.Perm(len(r.Hubs)), r.own(1)
	h, other := r.Hubs[order[0]], r.Hubs[order[1]]
	x := r.waiting("a client that misses the hand-over", r.here(), topic...)
	r.tell(r.Reader, turns(10, topic...)...)
	x.Sip(r.T.Context(), r.ClientAt(other), 10)
	next := redistest.Start(r.T, r.replica()...)
	former := r.promote(next)
	former.Must("REPLICAOF", "127.0.0.1", "1") // which nobody is
	r.lead(next)
	former.KillClients("pubsub")
	r.tell(r.ClientAt(h), turns(10, topic...)...)
	r.Ready()

	h.Redis.Target(former.Addr)
	next.KillCallers("exec") // which no connection but those of reads calls
	before := h.reads()
	x.Resume(r.ClientAt(h))
	r.Await("the hub has tried to read what the client missed", func() bool { return h.reads() > before })
	h.Redis.Target(next.Addr)
	end := r.parse(r.tell(r.Reader, topic...)[0]).Position
	r.Await("the client is up to date", func() bool { return !end.After(x.Last()) })
	former.Kill()
}

// twoPrimaries has hubs go over to another primary one by one, with their
// subscription first or with all their connections. Clients come back while both
// answer: what they missed, the old one has not.
func twoPrimaries(r *Run) {
	next, old := redistest.Start(r.T, r.replica()...), r.Redis
	r.awaitSync(next)
	r.Flow(r.Rand.IntN(100))
	next.Must("REPLICAOF", "NO", "ONE")
	some := r.sendAway(3)
	r.lead(next)
	if r.Rand.IntN(2) == 0 {
		old.KillClients("pubsub")
	}
	for _, i := range r.Rand.Perm(len(r.Hubs)) {
		r.Last(time.Duration(r.Rand.Int64N(int64(2 * time.Second))))
		if r.Rand.IntN(2) == 0 {
			r.Hubs[i].Redis.Cut()
		} else if strings.Contains(old.Must("CLIENT", "LIST", "TYPE", "pubsub"), "laddr=") {
			old.KillClients("pubsub")
		}
	}
	r.Flow(50 + r.Rand.IntN(100))
	r.comeBack(some, r.Hubs...)
	r.Flow(100)
	old.Kill()
}
