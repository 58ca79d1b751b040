package torture

import (
	"time"

	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// witnessCases have Redis come back older than it was, where only some hubs can
// know what is gone, and those come late.
func witnessCases() []Case {
	return []Case{
		{Name: "late-witness", Fault: "Redis back from an old snapshot; the only hub that heard what is gone comes back last", Loss: referee.MayLose, Do: lateWitness},
		{Name: "hearsay", Fault: "Redis back from an old snapshot, together with the hub that what is gone was published by", Loss: referee.MayLose, Do: hearsay},
		{Name: "newcomer-first", Fault: "Redis replaced by an older one whose clock is an hour behind, and a hub that knows nothing writes there first", Redis: soon, Unaware: true, Loss: referee.MayLose, Do: newcomerFirst},
	}
}

// lateWitness has two hubs hear nothing while the third one is acknowledged
// what is lost then. Their streams are past its place when they are told.
func lateWitness(r *Run) {
	order := r.Rand.Perm(len(r.Hubs))
	witness := r.Hubs[order[0]]
	r.Redis.Save()
	for _, i := range order[1:] {
		r.Hubs[i].Redis.Stall(redistest.Down)
	}
	r.Flow(50 + r.Rand.IntN(50))
	witness.Redis.Refuse(true)
	r.Redis.Kill()
	for _, i := range order[1:] {
		r.Hubs[i].Redis.Cut()
		r.Hubs[i].Redis.Resume()
	}
	r.Redis.Restart()
	r.Await("the others go on", func() bool { return r.Hubs[order[1]].Ready() && r.Hubs[order[2]].Ready() })
	r.Flow(50 + r.Rand.IntN(50))
	witness.Redis.Refuse(false)
}

// hearsay has a topic published to by one hub alone, which is gone when Redis
// comes back: the others know its events from the wire only.
func hearsay(r *Run) {
	order := r.Rand.Perm(len(r.Hubs))
	source, other := r.Hubs[order[0]], r.Hubs[order[1]]
	if source == r.spared {
		source, other = other, source
	}
	topic := r.own(1)
	x := r.waiting("a client of hearsay", r.here(), topic...)
	by := r.ClientAt(source)
	r.tell(by, turns(10, topic...)...)
	x.Sip(r.T.Context(), r.ClientAt(other), 10)
	r.Redis.Save()
	r.tell(by, turns(10, topic...)...)
	r.Last(100 * time.Millisecond) // more than it takes the wire
	source.Kill()
	r.Redis.Restart()
	source.Start()
	r.Ready()
	x.Resume(r.ClientAt(other))
}

// newcomerFirst leads the hubs to a replica that has stopped following and
// whose clock is behind. One of them has just been started and writes first:
// its positions lie below those that were given out before. Then the others
// come, who know better.
func newcomerFirst(r *Run) {
	r.late++
	next, old := redistest.StartLate(r.T, time.Duration(r.late)*time.Hour, r.replica()...), r.Redis
	r.awaitSync(next)
	next.Must("REPLICAOF", "NO", "ONE")
	r.Flow(50 + r.Rand.IntN(100))
	order := r.Rand.Perm(len(r.Hubs))
	newcomer := r.Hubs[order[0]]
	newcomer.Kill()
	for _, i := range order[1:] {
		r.Hubs[i].Redis.Refuse(true)
	}
	r.lead(next)
	old.Kill()
	newcomer.Start()
	r.Flow(50 + r.Rand.IntN(50))
	for _, i := range order[1:] {
		r.Hubs[i].Redis.Refuse(false)
	}
}
