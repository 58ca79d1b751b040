package web_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// watched is a connection of /tickertape.js in a tab's page, which notes all
// that it is handed.
type watched struct {
	*scene
	tab  *browser.Tab
	name string // of the page's variable
}

// handed is one call of a callback: the kind is event, gap, end or a state's
// status.
type handed struct {
	Kind, Topic, ID, Event, Cursor, Reason, Status string
	Data                                           any
	Wait                                           float64
	Resumed, Shared, Leader                        bool
}

// connect imports the client from the hub and connects. The options are
// JavaScript; callbacks named there take the place of the notes.
func (s *scene) connect(tab *browser.Tab, from, url, options string, topics ...string) *watched {
	s.Helper()
	list, _ := json.Marshal(topics) // cannot fail for strings
	name := browser.Eval[string](tab, fmt.Sprintf(`import('%s/tickertape.js').then(({ connect }) => {
		const log = { notes: [], count: 0 };
		const note = (kind, x) => log.notes.push({ ...x, kind: kind || x.status }) && kind === 'event' && log.count++;
		log.c = connect('%s', %s, { onEvent: e => note('event', e), onGap: g => note('gap', g), onEnd: e => note('end', e), onState: s => note('', s),
			...{%s} });
		window.connections ??= [];
		return 'connections[' + (connections.push(log) - 1) + ']';
	})`, from, url, list, options))
	return &watched{s, tab, name}
}

func (w *watched) notes(kinds ...string) []handed {
	w.Helper()
	all := browser.Eval[[]handed](w.tab, w.name+".notes")
	return slices.DeleteFunc(all, func(h handed) bool { return len(kinds) > 0 && !slices.Contains(kinds, h.Kind) })
}

// wait waits until the expression, in which c is the connection and notes
// what it was handed, holds in the page.
func (w *watched) wait(condition string) {
	w.Helper()
	w.tab.Wait(fmt.Sprintf(`(({ c, notes, count }) => %s)(%s)`, condition, w.name), w.name+".c.state", w.name+".count",
		w.name+".notes.slice(-8)")
}

func (w *watched) awaitOpen() { w.Helper(); w.wait(`c.state.status === 'open'`) }

// awaitEvents waits until as many events have come, and checks that they are
// those, once each and in order.
func (w *watched) awaitEvents(want []string) {
	w.Helper()
	w.wait(fmt.Sprintf(`count >= %d`, len(want)))
	var got []string
	for _, h := range w.notes("event") {
		got = append(got, h.ID)
	}
	if !slices.Equal(got, want) {
		w.Errorf("%s: got %d events, want %d; they differ from number %d on", w.name, len(got), len(want), differ(got, want))
	}
}

func differ(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// What was published before and after comes, complete, once and in order,
// however often the client is cut off.
func clientComesBack(s *scene) {
	node := s.start(quick)
	want := s.publish(node, note{Topic: "news", Data: "old"}, note{Topic: "quotes.IBM", Event: "quote", Key: "IBM", Data: map[string]int{"price": 3}})
	w := s.connect(s.tab, "", "", `start: { since: 'all' }`, "news", "quotes.IBM")
	w.awaitEvents(want)
	got := w.notes("event")
	if q := got[1]; q.Topic != "quotes.IBM" || q.Event != "quote" || q.Data.(map[string]any)["price"] != 3.0 || q.Cursor == "" {
		s.Errorf("got %+v", q)
	}
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() { want = append(want, s.publishNumbers(stop, node)...) })
	for i := range 5 {
		w.awaitOpen()
		w.wait(fmt.Sprintf(`count >= %d`, 2+20*(i+1)))
		node.Cut()
		w.wait(fmt.Sprintf(`notes.filter(n => n.kind === 'waiting' && n.reason === 'cut').length > %d`, i))
	}
	close(stop)
	publishing.Wait()
	w.awaitEvents(want)
	w.awaitOpen()
	s.quiet()
}

// publishNumbers publishes to news until stop, and returns the ids. Requests
// that are cut off are repeated with the same key.
func (s *scene) publishNumbers(stop <-chan struct{}, node *nodetest.Node) (ids []string) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return ids
		default:
		}
		m := note{Topic: "news", Data: n}
		var answer struct{ ID string }
		for tries := 1; ; tries++ {
			err := post(s.T, node.URL+"/publish", "number "+strconv.Itoa(n), m, &answer)
			if err == nil {
				break
			}
			if tries == 10 {
				s.Errorf("publish %d: %v", n, err)
				return ids
			}
		}
		ids = append(ids, answer.ID)
	}
}
