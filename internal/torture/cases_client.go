package torture

import (
	"math/rand/v2"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// clientCases harm clients, and the ways to them.
func clientCases() []Case {
	return []Case{
		{Name: "dropped-at-once", Fault: "all clients dropped at once, 5 times", On: onEdge, Do: func(r *Run) {
			for range 5 {
				r.Edge.Cut()
				r.Flow(1 + r.Rand.IntN(300))
			}
		}},
		{Name: "cut-anywhere", Fault: "each connection of clients and publishers cut after a drawn number of bytes", On: onEdge, Do: func(r *Run) {
			draw := rand.New(rand.NewPCG(r.Rand.Uint64(), 0))
			r.Edge.CutAfter(func() int { return anywhere(draw) })
			r.Edge.Cut()
			r.Flow(1000)
			r.Edge.CutAfter(nil)
		}},
		{Name: "clients-moved", Fault: "clients go and come back to another hub, which may lag half a second", On: onClients | onHubs | onWays, Do: func(r *Run) {
			for range 5 {
				some, h := r.sendAway(3), r.AnyHub()
				h.Redis.Delay(redistest.Down, r.upTo(500*time.Millisecond))
				r.comeBack(some, h)
				r.Flow(1 + r.Rand.IntN(200))
				h.Redis.Delay(redistest.Down, 0)
			}
		}},
		{Name: "away-trimmed", Fault: "clients away while what they miss is trimmed", Loss: referee.MayLose,
			Hub: []string{"HUB_RETAIN_MESSAGES=40"}, Reasons: []event.Reason{event.Trimmed}, Do: awayBeyondTrim},
		{Name: "away-expired", Fault: "clients away while what they miss expires", Loss: referee.MayLose,
			Age: shortAge, Reasons: []event.Reason{event.Expired}, Do: awayBeyondAge},
		{Name: "away-restart", Fault: "clients away while Redis is restarted with its append-only file", Redis: durable, On: onClients | onHubs | onRedis, Do: func(r *Run) {
			some := r.sendAway(3)
			r.Flow(1 + r.Rand.IntN(300))
			r.Redis.Restart()
			r.Flow(1 + r.Rand.IntN(300))
			r.forget()
			r.comeBack(some, r.Hubs...)
		}},
		{Name: "away-rollback", Fault: "clients away while Redis comes back with an older snapshot", Loss: referee.MayLose, On: onClients | onRedis, Do: func(r *Run) {
			some := r.sendAway(3)
			r.Flow(1 + r.Rand.IntN(300))
			r.Redis.Save()
			r.Flow(100 + r.Rand.IntN(300))
			r.Redis.Restart()
			r.Flow(1 + r.Rand.IntN(300))
			r.comeBack(some, r.Hubs...)
		}},
	}
}

// shortAge is how long events are kept where they shall expire.
const shortAge = 3 * time.Second

// anywhere draws after how many bytes a connection is cut: some within the
// header, some within the first event, most within one of the events behind.
func anywhere(draw *rand.Rand) int {
	most := [...]int{400, 1500, 20_000, 60_000}
	return 1 + draw.IntN(most[draw.IntN(len(most))])
}

// awayBeyondTrim lets clients miss what is trimmed meanwhile, and others a part
// of it or nothing.
func awayBeyondTrim(r *Run) {
	before := r.told(event.Trimmed)
	soon, late := r.sendAway(6), r.sendAway(6)
	r.Flow(1 + r.Rand.IntN(800))
	r.comeBack(soon, r.Hubs...)
	r.Flow(800 + r.Rand.IntN(1000))
	r.forget()
	r.comeBack(late, r.Hubs...)
	r.Await("somebody is told of a trim", func() bool { return r.told(event.Trimmed) > before })
}

// awayBeyondAge does the same with what expires meanwhile.
func awayBeyondAge(r *Run) {
	before := r.told(event.Expired)
	soon, late := r.sendAway(6), r.sendAway(6)
	r.Flow(1 + r.Rand.IntN(200)) // or there may be nothing to miss, beside another fault
	r.Last(r.upTo(shortAge))
	r.comeBack(soon, r.Hubs...)
	r.Last(shortAge + r.upTo(shortAge))
	r.forget()
	r.comeBack(late, r.Hubs...)
	r.Await("somebody is told of what expired", func() bool { return r.told(event.Expired) > before })
}
