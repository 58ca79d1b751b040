package torture

import (
	"fmt"
	"time"
)

// hasty has hubs drain faster than the balancer notices.
var hasty = []string{"HUB_DRAIN_WAIT=1s", "HUB_DRAIN_WINDOW=2s"}

// hubCases harm hubs, and the balancer before them.
func hubCases() []Case {
	return []Case{
		{Name: "hub-killed", Fault: "a hub killed by SIGKILL, and started again", Do: func(r *Run) {
			h := r.anyMortal()
			h.Kill()
			r.Last(r.upTo(5 * time.Second))
			h.Start()
		}},
		{Name: "hub-frozen", Fault: "a hub frozen for 2 to 10 s", Do: func(r *Run) {
			h := r.AnyHub()
			h.Stop()
			r.Last(2*time.Second + r.upTo(8*time.Second))
			h.Cont()
		}},
		{Name: "hub-drained", Fault: "a hub drained, and started again", Hub: hasty, Do: func(r *Run) {
			r.drain(r.anyMortal())
		}},
		{Name: "hubs-rolled", Fault: "all hubs drained and started again, one after the other", Hub: hasty, Do: func(r *Run) {
			hubs := r.mortal()
			for _, i := range r.Rand.Perm(len(hubs)) {
				r.drain(hubs[i])
				r.Await("the hub is back", hubs[i].Ready)
			}
		}},
		{Name: "balancer-killed", Fault: "the balancer killed, and started again", On: onBalancer, Do: func(r *Run) {
			r.Balancer.Kill()
			r.Last(r.upTo(3 * time.Second))
			r.Balancer.Start()
		}},
		{Name: "balancer-reloaded", Fault: "the balancer reloaded, its streams let go on", On: onBalancer, Do: func(r *Run) {
			r.Balancer.Reload(Softly)
		}},
		{Name: "balancer-replaced", Fault: "the balancer reloaded, its streams ended", On: onBalancer, Do: func(r *Run) {
			r.Balancer.Reload(Hard)
		}},
	}
}

// upTo draws a time.
func (r *Run) upTo(most time.Duration) time.Duration {
	return time.Duration(r.Rand.Int64N(int64(most)))
}

// drain has a hub end in order, and starts it again.
func (r *Run) drain(h *Hub) {
	r.T.Helper()
	h.Term()
	r.Await(fmt.Sprintf("%s ends", h.name), h.Over)
	if status := h.Status(); status != 0 {
		r.T.Errorf("%s ended with the status %d", h.name, status)
	}
	h.Start()
}
