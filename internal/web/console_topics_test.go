package web_test

import (
	"slices"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// listed is a line of the topic list.
type listed struct {
	Topic, Retained string
	Followed        bool
}

func (s *scene) listed() []listed {
	s.Helper()
	return browser.Eval[[]listed](s.tab, `[...document.querySelectorAll('#topic-list li')].map(li => ({
		Topic: li.querySelector('.topic').textContent, Retained: li.querySelector('.retained').textContent,
		Followed: li.querySelector('input').checked }))`)
}

// data returns the rows' data, the oldest first.
func (s *scene) data() (data []string) {
	s.Helper()
	for _, r := range s.rows() {
		data = append(data, r.Data)
	}
	slices.Reverse(data)
	return data
}

// A page that follows all topics follows new ones too, from their first event
// on, and misses and repeats nothing of the others.
func pageFollowsNewTopics(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.publish(node, note{Topic: "a", Data: "1"})
	s.tab.Open(node.URL)
	s.awaitRows(1)
	s.publish(node, note{Topic: "b", Data: "2"}, note{Topic: "a", Data: "3"})
	s.awaitRows(3)
	s.publish(node, note{Topic: "b", Data: "4"}, note{Topic: "c", Data: "5"}, note{Topic: "b", Data: "6"})
	s.awaitRows(6)
	got := s.data()
	slices.Sort(got) // the history of a new topic may come behind newer events
	if !slices.Equal(got, []string{"1", "2", "3", "4", "5", "6"}) {
		s.Errorf("got %q", got)
	}
	s.tab.Wait(`[...document.querySelectorAll('.retained')].map(e => e.textContent).join() === '2,3,1'`, `document.body.innerText`)
	if got := s.listed(); !slices.Equal(got, []listed{{"a", "2", true}, {"b", "3", true}, {"c", "1", true}}) {
		s.Errorf("listed: %+v", got)
	}
	if at := browser.Eval[string](s.tab, `location.search`); at != "" {
		s.Errorf("the address says %s", at)
	}
	s.silent()
}

// The list says what a topic is, and both it and the feed how one has ended, in
// both languages. A page that follows all goes on.
func pageShowsEnds(s *scene) {
	node := nodetest.Start(s, nodetest.Options{Bus: rulesFor(s, "quotes.*", "latest")})
	s.tab.Open(node.URL)
	s.awaitState("open") // also where there is no topic yet
	s.publish(node, note{Topic: "job", Data: "1"}, note{Topic: "quotes.US", Key: "A", Data: "2"})
	s.awaitRows(2)
	s.end(node, "job", "failed")
	if got := s.awaitRows(3)[0]; got.Kind != "end" || got.Topic != "job" || got.Reason != "failed" {
		s.Errorf("got %+v", got)
	}
	const states = `[...document.querySelectorAll('#topic-list li')].map(li => li.querySelector('.topic').textContent + ' ' + li.querySelector('.topic-state').textContent).join()`
	s.tab.Wait(states+` === 'job failed,quotes.US table'`, states)
	s.tab.Click("#language")
	s.tab.Wait(states+` === 'job 已失败,quotes.US 表格'`, states)
	s.tab.Click("#language")
	s.publish(node, note{Topic: "other", Data: "3"})
	s.awaitRows(4)
	s.silent()
}

// The address holds what the reader picked.
func pageFollowsPicked(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.publish(node, note{Topic: "a", Data: "1"}, note{Topic: "b", Data: "2"}, note{Topic: "c", Data: "3"})
	s.tab.Open(node.URL)
	s.awaitRows(3)
	s.tab.Click("#topic-list li:nth-child(2) input")
	if at := browser.Eval[string](s.tab, `location.search`); at != "?topic=a&topic=c" {
		s.Errorf("the address says %s", at)
	}
	s.until("the page follows two topics", func() bool {
		return node.Hub.Subscribers("a") == 1 && node.Hub.Subscribers("b") == 0 && node.Hub.Subscribers("c") == 1
	})
	s.publish(node, note{Topic: "b", Data: "unheard"}, note{Topic: "c", Data: "4"})
	s.awaitRows(4)
	if got := s.listed(); len(got) != 3 || !got[0].Followed || got[1].Followed || !got[2].Followed {
		s.Errorf("listed: %+v", got)
	}
	s.tab.Click("#all")
	s.until("the page follows all topics", func() bool { return node.Hub.Subscribers("a") == 0 && node.Streams.Open() == 1 })
	s.awaitRows(5) // what it did not hear comes from the topic's history, and "2" not again
	got := s.data()
	slices.Sort(got)
	if want := []string{"1", "2", "3", "4", "unheard"}; !slices.Equal(got, want) {
		s.Errorf("got %q, want %q", got, want)
	}
	if at := browser.Eval[string](s.tab, `location.search`); at != "" {
		s.Errorf("the address says %s", at)
	}
	s.silent()
}

// After a reload the page stands as it stood, and goes on behind that.
func pageOutlivesReload(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news&topic=quotes.AAPL")
	s.awaitState("open")
	s.publish(node, note{Topic: "news", Data: map[string]string{"title": "kept"}}, quoteOf("AAPL", 187.2), quoteOf("AAPL", 188.3))
	s.awaitTile("188.30")
	s.tab.Open("about:blank")
	s.until("the stream ends", func() bool { return node.Streams.Open() == 0 })
	s.publish(node, note{Topic: "news", Data: "missed"})
	s.tab.Open(node.URL + "/?topic=news&topic=quotes.AAPL")
	s.awaitRows(4)
	s.publish(node, note{Topic: "news", Data: "live"})
	s.awaitRows(5)
	s.awaitTile("188.30")
	if got, want := s.data()[3:], []string{"missed", "live"}; !slices.Equal(got, want) {
		s.Errorf("after the reload came %q", got)
	}
	if got := s.tiles(); len(got) != 1 || got[0].Points != 2 || len(s.headlines()) != 1 {
		s.Errorf("after the reload: %+v, %+v", got, s.headlines())
	}
	s.tab.Open(node.URL + "/?topic=news&last=2") // another page, which begins where it says
	s.awaitRows(2)
	if got, want := s.data(), []string{"missed", "live"}; !slices.Equal(got, want) {
		s.Errorf("with another start came %q", got)
	}
	s.silent()
}
