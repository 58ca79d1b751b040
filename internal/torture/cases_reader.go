package torture

import (
	"fmt"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// readerCases have some clients read too slowly, or nothing at all.
func readerCases() []Case {
	return []Case{
		{Name: "slow-readers", Fault: "10 clients read 4 KB/s until the hubs' memory has less than they miss", Dense: true, Do: func(r *Run) {
			before := r.counted(catchUpReads, `outcome="ok"`)
			r.hold(newTap(400, 100*time.Millisecond), func([]*referee.Listener) { r.Flow(2000) })
			if r.counted(catchUpReads, `outcome="ok"`) == before {
				r.T.Errorf("what the slow clients missed came from the hubs' memory")
			}
		}},
		{Name: "stalled-readers", Fault: "10 clients read nothing until the hubs cut them off", Limit: 6 * time.Minute, Do: func(r *Run) {
			const ended = "tickertape_streams_ended_total"
			before := r.counted(ended, `reason="stalled"`)
			r.hold(newTap(0, 0), func(stalled []*referee.Listener) {
				r.Await("the hubs cut off who reads nothing", func() bool {
					return r.counted(ended, `reason="stalled"`) >= before+float64(len(stalled))
				})
			})
		}},
	}
}

// cutTime is when a hub cuts off a client that reads nothing: whoever waits for
// such a client waits that long.
const cutTime = 30 * time.Second

// hold has about 10 clients of a topic read through a tap while the topic is
// heavy, for as long as the function lasts, and awaits that they come to all
// that they missed. The others must not wait for them.
func (r *Run) hold(x *tap, meanwhile func(held []*referee.Listener)) {
	r.T.Helper()
	topic := r.Topics[r.Rand.IntN(len(r.Topics))]
	held := r.followers(topic, max(1, len(r.Listeners)/10))
	r.Ledger.Weigh(topic, 24<<10)
	ways := x.clients(r)
	for _, l := range held {
		l.Watch(false)
		l.Resume(ways[r.Rand.IntN(len(ways))])
	}
	meanwhile(held)
	r.Ledger.Weigh(topic, 0)
	x.open()
	mark := r.press.last(topic)
	for _, l := range held {
		r.Await(fmt.Sprintf("%s has what it missed", l.Name), func() bool { return l.Passed(mark) })
		l.Stop()
		l.Watch(true)
		l.Resume(r.Reader)
	}
	for _, l := range r.Listeners {
		if silence := l.Silence(); silence >= cutTime && !r.paired {
			r.T.Errorf("nothing came to %s for %v: somebody waited for those that read too slowly", l.Name, silence)
		}
	}
}

// followers sends up to so many clients of a topic away, and returns them.
func (r *Run) followers(topic event.Topic, most int) (gone []*referee.Listener) {
	for _, x := range r.present() {
		if len(gone) < most && x.Follows(topic) {
			x.Stop()
			gone = append(gone, x)
		}
	}
	return gone
}
