package torture

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// endCases have topics of their own that begin and end: answers, written by
// producers with leases, and tables, of which only the newest of each key is kept.
func endCases() []Case {
	return []Case{
		{Name: "producers-killed", Fault: "producers vanish or fall silent in the middle of their answers", Do: producersKilled},
		{Name: "lease-taker-killed", Fault: "producers killed together with the hub that took their leases", Do: leaseTakerKilled},
		{Name: "lease-failover", Fault: "producers vanish, and Sentinels make a replica the primary while leases run", Store: BySentinels, Loss: referee.MayLose, Do: leaseFailover},
		{Name: "lease-outage", Fault: "Redis frozen, or killed and back with its append-only file, for longer than leases; some producers vanish before", Redis: durable, Do: leaseOutage},
		{Name: "cancel-frozen", Fault: "answers cancelled at several hubs while Redis is frozen for 2 to 10 s", Do: cancelFrozen},
		{Name: "table-conflated", Fault: "a hub killed under the slow readers of tables", Config: tableRules, Do: tableConflated},
	}
}

const (
	// leaseTime is the lease of answers: many times what lies between two lines.
	leaseTime = 3 * time.Second
	// lateness is by how much an end may come late, on a busy machine.
	lateness = 5 * time.Second
	// measured is how exactly our times and those of the store compare.
	measured = 500 * time.Millisecond
)

// producersKilled has some of the producers end without a word, or say nothing
// any more, which ends their topics and no others.
func producersKilled(r *Run) {
	list := r.answers(8, "", leaseTime)
	dead, living := list[:4], list[4:]
	r.Last(r.upTo(leaseTime))
	stop(dead)
	r.lost(dead, leaseTime, time.Time{}, referee.NoLoss)
	r.complete(living, referee.NoLoss)
}

// leaseTakerKilled kills a hub with all of its producers: another one ends their
// topics. Those at other hubs go on.
func leaseTakerKilled(r *Run) {
	taker := r.anyMortal()
	var living []*answer
	for _, h := range r.Hubs {
		if h != taker {
			living = append(living, r.answers(2, "http://"+h.Addr, leaseTime)...)
		}
	}
	dead := r.answers(4, "http://"+taker.Addr, leaseTime)
	for _, a := range dead {
		a.producer.vanish()
	}
	taker.Kill()
	r.Last(leaseTime + r.upTo(2*time.Second))
	taker.Start()
	r.lost(dead, leaseTime, time.Time{}, referee.NoLoss)
	r.complete(living, referee.NoLoss)
}

// leaseFailover has another server look after the leases than the one that took
// them.
func leaseFailover(r *Run) {
	list := r.answers(8, "", leaseTime)
	dead, living := list[:4], list[4:]
	stop(dead)
	r.Last(r.upTo(leaseTime / 2))
	r.Sentinels.Failover()
	r.Ready()
	r.lost(dead, leaseTime, time.Now(), referee.MayLose)
	r.complete(living, referee.MayLose)
}

// leaseOutage has all leases run out while no producer can do anything about it.
// Those who live have their time once more.
func leaseOutage(r *Run) {
	list := r.answers(8, "", leaseTime)
	dead, living := list[:4], list[4:]
	stop(dead)
	away := leaseTime + 2*time.Second + r.upTo(3*time.Second)
	if r.Rand.IntN(2) == 0 {
		r.Note("frozen")
		r.Redis.Stop()
		r.Last(away)
		r.Redis.Cont()
	} else {
		r.Note("killed")
		r.Redis.Kill()
		r.Last(away)
		r.Redis.Restart()
	}
	back := time.Now()
	r.Ready()
	for _, a := range r.lost(dead, leaseTime, time.Now(), referee.NoLoss) {
		if early := back.Add(leaseTime).Sub(a.end); early > measured {
			r.found.odd("%s ended %v before its lease had run out once more", a.topic, early)
		}
	}
	r.complete(living, referee.NoLoss)
}

// stop has one half of the producers vanish, and the other half fall silent.
func stop(list []*answer) {
	for i, a := range list {
		if i%2 == 0 {
			a.producer.vanish()
		} else {
			a.producer.turn(silent)
		}
	}
}

// loss is when a topic ended whose producer is lost.
type loss struct {
	topic event.Topic
	end   time.Time
}

// lost awaits that the answers end because their leases run out: not before, and
// soon after that, or after the store was whole again. Who fell silent is told.
func (r *Run) lost(list []*answer, lease time.Duration, whole time.Time, may referee.Loss) (losses []loss) {
	r.T.Helper()
	for _, a := range list {
		last, end := a.closed(event.ProducerLost, may)
		due := last.Add(lease)
		if end.Before(due) && may == referee.NoLoss {
			r.found.odd("%s ended %v before its lease had run out", a.topic, due.Sub(end))
		}
		if whole.After(last) {
			due = whole.Add(lease)
		}
		if late := end.Sub(due); late > lateness && !r.paired {
			r.found.odd("%s ended %v after its lease had run out", a.topic, late)
		}
		r.isTold(a, event.ProducerLost)
		losses = append(losses, loss{a.topic, end})
	}
	return losses
}

// complete has producers say their last lines.
func (r *Run) complete(list []*answer, may referee.Loss) {
	r.T.Helper()
	for _, a := range list {
		a.producer.turn(finishing)
	}
	for _, a := range list {
		r.isTold(a, event.Completed)
		a.closed(event.Completed, may)
	}
}

// isTold waits until a producer that has not vanished knows how its topic ended.
func (r *Run) isTold(a *answer, want event.Status) {
	r.T.Helper()
	if a.producer.vanished() {
		return
	}
	if !comes(2*lateness, a.producer.isOver) {
		r.found.odd("the producer of %s is not told that it has ended", a.topic)
		a.producer.vanish()
		return
	}
	if _, _, told := a.producer.state(); told != want {
		r.found.odd("the producer of %s is told that it has ended as %q, not as %s", a.topic, told, want)
	}
}

// cancelFrozen asks for the end of answers at two hubs at once until they say
// that it is there. Some producers go on meanwhile, others say nothing, with
// their requests open.
func cancelFrozen(r *Run) {
	list := r.answers(6, "", time.Minute)
	for _, a := range list[:3] {
		a.producer.turn(silent)
	}
	var asking sync.WaitGroup
	client := r.plain()
	r.Redis.Stop()
	for _, a := range list {
		for _, i := range r.Rand.Perm(len(r.Hubs))[:2] {
			asking.Go(func() { r.cancel(client, r.Hubs[i], a.topic) })
		}
	}
	r.Last(2*time.Second + r.upTo(8*time.Second))
	r.Redis.Cont()
	asking.Wait()
	for _, a := range list {
		r.isTold(a, event.Cancelled)
		a.closed(event.Cancelled, referee.NoLoss)
	}
}

// cancel asks a hub to cancel a topic, until it says that this is done.
func (r *Run) cancel(client *http.Client, h *Hub, topic event.Topic) {
	for time.Now().Before(r.end) && r.T.Context().Err() == nil {
		status, answer := post(r, client, fmt.Sprintf("http://%s/topics/%s/cancel", h.Addr, topic), "")
		switch status {
		case http.StatusOK:
			if answer.Status != string(event.Cancelled) {
				r.found.odd("a cancel of %s is answered that it has ended as %v", topic, answer.Status)
			}
			return
		case 0, http.StatusServiceUnavailable:
			pause(r.T.Context(), 200*time.Millisecond)
		default:
			r.found.odd("a cancel of %s is answered %d: %s", topic, status, answer.Detail)
			return
		}
	}
}
