package web_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"tickertape/internal/browser"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// payloads are data as published and, where line ends make a difference, as a
// browser hands it out.
var payloads = [...]struct{ published, got string }{
	{"hello", "hello"},
	{"", ""},
	{" ", " "},
	{"  two leading spaces", "  two leading spaces"},
	{":colon first", ":colon first"},
	{"data: as if a field", "data: as if a field"},
	{"a\nb", "a\nb"},
	{"a\r\nb", "a\nb"},
	{"a\rb", "a\nb"},
	{"a\n\nid: forged\n\nevent: forged\ndata: forged", "a\n\nid: forged\n\nevent: forged\ndata: forged"},
	{"a\r\rid: forged\r\r", "a\n\nid: forged\n\n"},
	{"trailing newline\n", "trailing newline\n"},
	{"\n", "\n"},
	{"\n\r\n\r", "\n\n\n"},
	{" a\n  b\n\tc", " a\n  b\n\tc"},
	{"Grüße, 行情 📈 \u2028 \u0085 \u0000 \ufeff|", "Grüße, 行情 📈 \u2028 \u0085 \u0000 \ufeff|"},
	{strings.Repeat("long ", 20_000), strings.Repeat("long ", 20_000)},
}

// Data, names and ids of live events are those that were published.
func plainForm(s *scene) {
	node := s.start(nodetest.Options{})
	source := s.tab.Listen("/events?topic=news", "headline", "行情")
	opened := source.Await("hub.open", 1)
	if opened[0].ID == "" || opened[0].Data != `{"resumed":false}` {
		s.Errorf("opened by %+v", opened[0])
	}
	var notes []note
	var want []browser.Received
	for i, p := range payloads {
		name := [...]string{"", "headline", "行情"}[i%3]
		notes = append(notes, note{Topic: "news", Event: name, Data: p.published})
		want = append(want, browser.Received{Type: orMessage(name), Data: p.got})
	}
	notes = append(notes, note{Topic: "news", Event: "unheard", Data: "nobody listens"},
		note{Topic: "news", Data: json.RawMessage(`{"price": 24.60, "n": [1, 2]}`)})
	want = append(want, browser.Received{Type: "message", Data: `{"price":24.60,"n":[1,2]}`})
	ids := s.publish(node, notes...)
	for i := range payloads {
		want[i].ID = ids[i]
	}
	want[len(want)-1].ID = ids[len(ids)-1]
	source.AwaitData(want[len(want)-1].Data)
	if got := source.Events("message", "headline", "行情"); !slices.Equal(got, want) {
		s.Errorf("got %s\nwant %s", brief(got), brief(want))
	}
	s.quiet()
}

// In envelope form every event is unnamed and tells all about itself.
func envelopeForm(s *scene) {
	node := s.start(nodetest.Options{})
	source := s.tab.Listen("/events?topic=news&envelope=true", "headline")
	source.Await("hub.open", 1)
	var notes []note
	for _, p := range payloads {
		notes = append(notes, note{Topic: "news", Event: "headline", Key: "k 1", Data: p.published})
	}
	notes = append(notes, note{Topic: "news", Data: json.RawMessage(`{"price":24.60}`)})
	ids := s.publish(node, notes...)
	got := source.Await("message", len(notes))
	for i, r := range got {
		var e event.Envelope
		if err := json.Unmarshal([]byte(r.Data), &e); err != nil {
			s.Fatal(err)
		}
		data, err := e.Text()
		if err != nil {
			s.Fatal(err)
		}
		want, key, name := `{"price":24.60}`, "", "message"
		if i < len(payloads) {
			want, key, name = payloads[i].published, "k 1", "headline"
		}
		if data.Text != want || data.JSON != (i == len(payloads)) {
			s.Errorf("event %d: data %.100q, want %.100q", i, data.Text, want)
		}
		at, err := e.At()
		if r.ID != ids[i] || e.ID != ids[i] || e.Topic != "news" || e.Event != name || e.Key != key || err != nil || at.IsZero() {
			s.Errorf("event %d: %.300s with id %s, published as %s", i, r.Data, r.ID, ids[i])
		}
	}
	if named := source.Events("headline"); len(named) > 0 {
		s.Errorf("named events in envelope form: %s", brief(named))
	}
	s.quiet()
}

// A stream of several topics shows one order, that of the positions, whoever
// listens and in whatever order it names the topics.
func manyTopicsOneOrder(s *scene) {
	const publishers, each = 3, 60
	node := s.start(nodetest.Options{})
	topics := [...]string{"news", "quotes.AAPL", "quotes.IBM", "chat.7d1f"}
	one := s.tab.Listen("/events?topic=" + strings.Join(topics[:], "&topic="))
	slices.Reverse(topics[:])
	other := s.tab.Listen("/events?envelope=true&topic=" + strings.Join(topics[:], "&topic="))
	one.Await("hub.open", 1)
	other.Await("hub.open", 1)
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				m := note{Topic: topics[rand.N(len(topics))], Data: fmt.Sprintf("%d/%d", p, i)}
				if err := post(s.T, node.URL+"/publish", "", m, &struct{}{}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	got := one.Await("message", publishers*each)
	if a, b := ids(got), ids(other.Await("message", publishers*each)); !slices.Equal(a, b) {
		s.Errorf("two orders:\n%v\n%v", a, b)
	}
	s.checkRising(got)
	next := [publishers]int{}
	for _, r := range got {
		var p, i int
		if _, err := fmt.Sscanf(r.Data, "%d/%d", &p, &i); err != nil || i != next[p] {
			s.Fatalf("got %q where message %d of its publisher was due", r.Data, next[p])
		}
		next[p]++
	}
	s.quiet()
}

// checkRising fails unless each event's position lies behind the one before.
func (s *scene) checkRising(events []browser.Received) {
	s.Helper()
	var last event.Position
	for i, r := range events {
		c, err := event.ParseCursor(r.ID)
		if err != nil || !c.Position.After(last) {
			s.Fatalf("event %d of %d at %v, after %v: %v", i, len(events), c.Position, last, err)
		}
		last = c.Position
	}
}

func ids(events []browser.Received) []string {
	ids := make([]string, len(events))
	for i, r := range events {
		ids[i] = r.ID
	}
	return ids
}

// brief words events without their long data.
func brief(events []browser.Received) string {
	var b strings.Builder
	for _, r := range events {
		fmt.Fprintf(&b, "\n  %s %.60q %s", r.Type, r.Data, r.ID)
	}
	return b.String()
}

func orMessage(name string) string {
	if name == "" {
		return "message"
	}
	return name
}
