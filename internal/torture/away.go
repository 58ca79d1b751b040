package torture

import (
	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// sendAway has about one of so many clients go away, and returns them.
func (r *Run) sendAway(one int) []*referee.Listener {
	var gone []*referee.Listener
	for _, i := range r.Rand.Perm(len(r.Listeners)) {
		if x := r.Listeners[i]; len(gone) < max(1, len(r.Listeners)/one) && !x.Away() {
			x.Stop()
			gone = append(gone, x)
		}
	}
	return gone
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

// forget has one of the hubs forget what it had in memory: who comes back to
// it gets what the store has.
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
