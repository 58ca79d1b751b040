package web_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// The page over three nodes that share a Redis: quotes move, a cut is shown
// and heals on another node without a loss, and where events are gone for good
// the page says so.
func pageOverThreeNodes(s *scene) {
	const kept = 200
	c := referee.Start(s, referee.Options{Nodes: 3, Bus: redisbus.Options{Retention: event.Retention{Messages: kept}}})
	nodes := c.Nodes()
	way := redistest.StartProxy(s, nodes[0].Addr)
	stop := s.publishQuotes(nodes[1])
	s.tab.Open("http://" + way.Addr)
	s.tab.Wait(`document.querySelectorAll('.tile').length === 5`, `document.body.innerText`)
	s.awaitState("open")
	const prices = `[...document.querySelectorAll('.tile .price')].map(e => e.textContent)`
	browser.Eval[bool](s.tab, `window.before = `+prices+`, true`)
	begin := time.Now()
	s.tab.Wait(prices+`.every((price, i) => price !== before[i])`, prices, `before`)
	s.Logf("five tiles changed in %v", time.Since(begin))
	s.silent()

	browser.Eval[bool](s.tab, `window.first = document.querySelector('#cursor').dataset.cursor, true`)
	way.Refuse(true)
	way.Cut()
	s.awaitState("waiting")
	missed := s.publish(nodes[2].Node, note{Topic: "news", Event: "headline", Data: map[string]string{"title": "while it was away"}})
	way.Target(nodes[1].Addr)
	way.Refuse(false)
	s.awaitState("open")
	s.tab.Wait(`document.querySelector('#headlines').innerText.includes('while it was away')`, `document.body.innerText`)
	stop()
	last := s.publish(nodes[0].Node, note{Topic: "news", Data: "the last before the trim"})
	s.awaitData("the last before the trim")
	if gaps := slices.DeleteFunc(s.rows(), func(r row) bool { return r.Kind == "event" }); len(gaps) > 0 {
		s.Errorf("a cut that lost nothing (%s to %s) made gaps: %+v", missed[0], last[0], gaps)
	}

	way.Refuse(true)
	way.Cut()
	s.awaitState("waiting")
	notes := make([]note, 2*kept)
	for i := range notes {
		notes[i] = note{Topic: "news", Data: fmt.Sprint(i)}
	}
	s.publish(nodes[0].Node, notes...)
	way.Target(nodes[2].Addr) // which has nothing of these topics in memory
	way.Refuse(false)
	s.awaitData(fmt.Sprint(len(notes) - 1))
	gaps := slices.DeleteFunc(s.rows(), func(r row) bool { return r.Kind == "event" })
	if len(gaps) != 1 || gaps[0].Topic != "news" || gaps[0].Reason != "trimmed" {
		s.Errorf("gaps: %+v", gaps)
	}
	if banner := s.text("#gap"); !strings.Contains(banner, "Events of news are missing.") || !strings.Contains(banner, "make room") {
		s.Errorf("the banner says %q", banner)
	}
	s.keepPicture("gap")
	s.tab.Click("#gap-close")
	s.tab.Wait(`document.querySelector('#gap').hidden`)
	s.quiet()
}

// Two tabs have one connection, whichever node it leads to; the other one
// takes over when the first closes.
func pageSharesStream(s *scene) {
	c := referee.Start(s, referee.Options{Nodes: 3})
	nodes := c.Nodes()
	streams := func() (n int) {
		for _, node := range nodes {
			n += node.Streams.Open()
		}
		return n
	}
	s.publish(nodes[2].Node, note{Topic: "news", Data: "before"})
	other := &scene{T: s.T, tab: s.tab.Beside()}
	for _, tab := range [...]*scene{s, other} {
		tab.tab.Open(nodes[0].URL + "/?topic=news")
		tab.awaitState("open")
		tab.awaitRows(1)
	}
	s.until("there is one stream", func() bool { return streams() == 1 })
	other.tab.Wait(`!document.querySelector('#shared').hidden`)
	s.publish(nodes[1].Node, note{Topic: "news", Data: "for both"})
	s.awaitRows(2)
	other.awaitRows(2)
	if n := streams(); n != 1 {
		s.Errorf("%d streams for two tabs", n)
	}
	s.silent()
	s.tab.Open("about:blank")
	other.tab.Wait(`document.querySelector('#shared').hidden && document.querySelector('#state').dataset.state === 'open'`)
	s.publish(nodes[1].Node, note{Topic: "news", Data: "for the other"})
	if got := other.awaitRows(3); len(got) != 3 || got[0].Data != "for the other" || got[1].Data != "for both" {
		s.Errorf("the other tab shows %+v", got)
	}
	s.until("there is one stream", func() bool { return streams() == 1 })
	other.silent()
}

// awaitData waits for a row with that data.
func (s *scene) awaitData(data string) {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`[...document.querySelectorAll('#events .data')].some(e => e.textContent === '%s')`, data),
		`document.body.innerText`)
}

// publishQuotes publishes five quotes ten times a second until stop is called.
func (s *scene) publishQuotes(node *referee.Node) (stop func()) {
	m := newMarket(1)
	m.prices = m.prices[:5]
	done := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := post(s.T, node.URL+"/publish", "", m.quotes(), &struct{}{}); err != nil {
				s.Error(err)
				return
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(done)
		publishing.Wait()
	})
	s.Cleanup(stop)
	return stop
}
