package referee

import "time"

// pauses finds the longest time between two events.
type pauses struct {
	watched bool
	away    bool      // the listener asked for no stream
	since   time.Time // when something came last, or could first
	longest time.Duration
}

func (p *pauses) event(now time.Time) {
	if p.watched && !p.away {
		p.longest = max(p.longest, now.Sub(p.since))
		p.since = now
	}
}

func (p *pauses) leave(now time.Time) {
	p.event(now)
	p.away = true
}

func (p *pauses) back(now time.Time) { p.away, p.since = false, now }

// Watch begins to look for the longest silence, or ends it.
func (x *Listener) Watch(watch bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	x.pauses.event(now)
	x.pauses.watched, x.pauses.since = watch, now
}

// Silence returns the longest time for which no event came to the listener: of
// the time for which it was watched, without that between Stop and Resume.
// That there was nothing to come is no excuse, so it says something only while
// its topics are published to; what keeps publishers from it counts too.
func (x *Listener) Silence() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pauses.longest
}

// Away reports whether the listener was stopped, and did not come back.
func (x *Listener) Away() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pauses.away
}
