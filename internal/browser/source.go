package browser

import (
	"encoding/json"
	"fmt"
)

// Source is a native EventSource in a tab's page, which notes all that
// happens to it.
type Source struct {
	tab  *Tab
	name string // of the page's variable
}

// Received is an event as the page got it.
type Received struct {
	Type string `json:"type"`
	Data string `json:"data"`
	ID   string `json:"id"` // lastEventId
}

// Listen opens an EventSource that listens to the hub's own events, to
// unnamed ones and to those of the given names.
func (tab *Tab) Listen(url string, names ...string) *Source {
	tab.t.Helper()
	names = append([]string{"message", "hub.open", "hub.gap", "hub.cursor"}, names...)
	s := &Source{tab: tab}
	s.name = Eval[string](tab, fmt.Sprintf(listening, quote(url), quote(names)))
	return s
}

const listening = `(() => {
	const source = new EventSource(%s);
	const log = { source, events: [], errors: 0 };
	for (const name of %s) source.addEventListener(name,
		e => log.events.push({ type: e.type, data: e.data, id: e.lastEventId }));
	source.onerror = () => log.errors++;
	window.sources ??= [];
	return 'sources[' + (window.sources.push(log) - 1) + ']';
})()`

// Await waits until n events of the type have come in all, and returns them.
func (s *Source) Await(eventType string, n int) []Received {
	s.tab.t.Helper()
	of := fmt.Sprintf("%s.events.filter(e => e.type === %s)", s.name, quote(eventType))
	s.tab.Wait(fmt.Sprintf("%s.length >= %d", of, n), of+".length", s.name+".events.slice(-5)", s.name+".source.readyState")
	return s.Events(eventType)
}

// AwaitData waits for the unnamed event with that data.
func (s *Source) AwaitData(data string) {
	s.tab.t.Helper()
	s.tab.Wait(fmt.Sprintf("%s.events.some(e => e.data === %s)", s.name, quote(data)),
		s.name+".events.length", s.name+".events.slice(-5)", s.name+".source.readyState")
}

// Events returns what has come so far, of the given types or of all.
func (s *Source) Events(types ...string) []Received {
	s.tab.t.Helper()
	return Eval[[]Received](s.tab, fmt.Sprintf("%s.events.filter(e => %[2]s.length === 0 || %[2]s.includes(e.type))",
		s.name, quote(append([]string{}, types...))))
}

// quote writes a string, or a list of strings, as JavaScript.
func quote[T string | []string](v T) string {
	text, _ := json.Marshal(v) // cannot fail for strings
	return string(text)
}
