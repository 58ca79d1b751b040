package torture

import (
	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// sendAway has about one of so many clients go away, and returns them.
func (r *Run) sendAway(one int) []*referee.Listener {
	gone := r.present()
	gone = gone[:min(len(gone), max(1, len(r.Listeners)/one))]
	for _, x := range gone {
		x.Stop()
	}
	return gone
}

// present returns the clients that are not away, in a drawn order.
func (r *Run) present() (some []*referee.Listener) {
	for _, i := range r.Rand.Perm(len(r.Listeners)) {
		if !r.Listeners[i].Away() {
			some = append(some, r.Listeners[i])
		}
	}
	return some
}

// comeBack has clients who went away come back, each to one of the hubs.
func (r *Run) comeBack(clients []*referee.Listener, to ...*Hub) {
	r.T.Helper()
	ways := make([]*client.Client, len(to))
	for i, h := range to {
		ways[i] = r.ClientAt(h)
	}
	for _, x := range clients {
		x.Resume(ways[r.Rand.IntN(len(ways))])
	}
}

// forget has one of the hubs, but not the first, forget what it had in memory:
// who comes back to it gets what the store has.
func (r *Run) forget() {
	r.T.Helper()
	h := r.anyMortal()
	h.Kill()
	h.Start()
	r.Await("the hub is back", h.Ready)
}

// told returns how many gaps clients were told of for that reason.
func (r *Run) told(reason event.Reason) (count int) {
	for _, x := range r.Listeners {
		count += x.Gaps()[reason]
	}
	return count
}
