package web_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// tile is a quote as a reader sees it.
type tile struct {
	Symbol, Price, Change, Way string
	Points                     int // of its line
}

func (s *scene) tiles() []tile {
	s.Helper()
	return browser.Eval[[]tile](s.tab, `[...document.querySelectorAll('.tile')].map(t => {
		const text = name => t.querySelector('.' + name).textContent;
		return { Symbol: text('symbol'), Price: text('price'), Change: text('change'), Way: t.dataset.way,
			Points: t.querySelector('polyline').points.length };
	})`)
}

// awaitTile waits until a tile shows that price.
func (s *scene) awaitTile(price string) {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`[...document.querySelectorAll('.tile .price')].some(e => e.textContent === '%s')`, price),
		`document.body.innerText`)
}

// headline is an item of the news list. Link is what a click leads to.
type headline struct{ Title, Link, Rel, Target, Source string }

func (s *scene) headlines() []headline {
	s.Helper()
	return browser.Eval[[]headline](s.tab, `[...document.querySelectorAll('#headlines li')].map(li => {
		const title = li.querySelector('.title');
		return { Title: title.textContent, Link: title.href ?? '', Rel: title.rel ?? '', Target: title.target ?? '',
			Source: li.querySelector('.source').lastChild.textContent };
	})`)
}

// Quotes become tiles with the digits that they were published with, and
// headlines become news; nothing of them is markup, and no link does more
// than lead elsewhere.
func pageShowsQuotesAndNews(s *scene) {
	const image = `<img src=x onerror="pwned = 1">`
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news&topic=quotes.AAPL&topic=quotes.IBM&topic=chat")
	s.awaitState("open")
	s.publish(node, quoteOf("AAPL", 187.2), quoteOf("AAPL", 187.5), quoteOf("AAPL", 186.1),
		note{Topic: "quotes.IBM", Data: json.RawMessage(`{"price":24.600}`)},
		note{Topic: "quotes.IBM", Data: json.RawMessage(`{"price":"much"}`)}, note{Topic: "quotes.IBM", Data: "no JSON"},
		note{Topic: "chat", Event: "quote", Data: json.RawMessage(`{"symbol":"` + `<b>X</b>` + `","price":5}`)},
		note{Topic: "chat", Data: json.RawMessage(`{"symbol":"none","price":5}`)},
		note{Topic: "news", Data: map[string]string{"title": image, "link": "javascript:pwned=1", "source": image}},
		note{Topic: "news", Data: map[string]string{"title": "data", "link": "data:text/html,<script>1</script>"}},
		note{Topic: "news", Data: map[string]any{"title": "no link", "link": []int{1}, "published": "yesterday"}},
		note{Topic: "news", Data: map[string]string{"headline": "without a title"}},
		note{Topic: "chat", Event: "headline", Data: map[string]string{"title": "linked", "link": "https://news.example/a?b=c", "source": "Wire"}})
	s.awaitRows(13)
	s.awaitTile("186.10")
	want := []tile{{"<b>X</b>", "5.00", "unchanged +0.00 (+0.00%)", "same", 2},
		{"AAPL", "186.10", "down −1.10 (−0.59%)", "down", 3}, {"IBM", "24.600", "unchanged +0.000 (+0.00%)", "same", 2}}
	if got := s.tiles(); !slices.Equal(got, want) {
		s.Errorf("got %+v\nwant %+v", got, want)
	}
	s.publish(node, quoteOf("AAPL", 190))
	s.awaitTile("190.00")
	if got := s.tiles()[1]; got != (tile{"AAPL", "190.00", "up +2.80 (+1.50%)", "up", 4}) {
		s.Errorf("after a rise: %+v", got)
	}
	got := s.headlines()
	if len(got) != 4 || got[0] != (headline{"linked", "https://news.example/a?b=c", "noopener noreferrer", "_blank", "Wire"}) ||
		got[1].Title != "no link" || got[1].Link != "" || got[2].Link != "" || got[3] != (headline{Title: image, Source: image}) {
		s.Errorf("got %+v", got)
	}
	s.checkHarmless()
	s.quiet()
}

// A hub without events says how to publish one to it, and shows it.
func pageWelcomes(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL)
	s.tab.Wait(`!document.querySelector('#welcome').hidden`)
	lines := s.text("#lines")
	if !strings.Contains(lines, "curl -d 'hello' '"+node.URL+"/publish?topic=news'") || !strings.Contains(lines, `"price":187.20`) {
		s.Errorf("a newcomer reads %q", lines)
	}
	s.tab.Type("#publish-topic", "news")
	s.tab.Type("#publish-data", "hello")
	s.tab.Click("#send")
	s.awaitRows(1)
	s.tab.Wait(`document.querySelector('#welcome').hidden`)
	s.silent()
}

// silent fails if the console has any error at all.
func (s *scene) silent() {
	s.Helper()
	if c := s.tab.Complaints(); len(c) > 0 {
		s.Errorf("the console complains: %v", c)
	}
}

// A paused feed stands still and misses nothing; a filter shows what has its
// text, also of what came before.
func pagePausesAndFilters(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news&topic=chat")
	s.awaitState("open")
	s.publish(node, note{Topic: "news", Data: "one"}, note{Topic: "chat", Data: "two"})
	s.awaitRows(2)
	s.tab.Click("#pause")
	s.publish(node, note{Topic: "news", Data: "three"}, note{Topic: "chat", Data: "four"})
	s.tab.Wait(`document.querySelector('#pause').innerText === 'Go on (2)'`, `document.body.innerText`)
	if got := s.rows(); len(got) != 2 || s.text("#count") != "4" {
		s.Errorf("paused: %+v", got)
	}
	s.tab.Click("#pause")
	s.awaitRows(4)
	s.tab.Type("#filter", "NEWS")
	s.tab.Wait(`document.querySelectorAll('#events > li').length === 2`, `document.body.innerText`)
	s.publish(node, note{Topic: "chat", Data: "five"}, note{Topic: "chat", Data: "of news"})
	s.awaitRows(3)
	if got := s.rows(); got[0].Data != "of news" || got[1].Data != "three" || got[2].Data != "one" {
		s.Errorf("filtered: %+v", got)
	}
	s.tab.Type("#filter", "nothing of the kind")
	s.tab.Wait(`!document.querySelector('#no-match').hidden`)
	s.tab.Click("#clear")
	s.tab.Type("#filter", " ")
	s.tab.Wait(`!document.querySelector('#no-events').hidden && document.querySelector('#count').innerText === '0'`)
	s.silent()
}

// With 500 events a second the page still paints, keeps few rows, and counts
// all.
func pageBearsFlood(s *scene) {
	const batches, each = 15, 100
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=flood&topic=quotes.AAPL")
	s.awaitState("open")
	var last []string
	for i := range batches {
		notes := make([]note, each)
		for j := range notes {
			notes[j] = note{Topic: "flood", Data: strings.Repeat(fmt.Sprint(i*each+j, " "), 50)}
			if j%5 == 0 {
				notes[j] = quoteOf("AAPL", 100+float64(j)/10)
			}
		}
		// Each batch waits for a frame: a page that had frozen shows none.
		browser.Eval[float64](s.tab, `new Promise(requestAnimationFrame)`)
		last = s.publish(node, notes...)
	}
	s.awaitCursor(last[len(last)-1])
	s.tab.Wait(fmt.Sprintf(`document.querySelector('#count').innerText === '%s'`, "1,500"), `document.querySelector('#count').innerText`)
	if rows := len(s.rows()); rows != 500 {
		s.Errorf("%d rows", rows)
	}
	if tiles := s.tiles(); len(tiles) != 1 || tiles[0].Points != 60 {
		s.Errorf("%+v", tiles)
	}
	s.silent()
}

// Both languages have the same texts, and all that the page asks for.
func pageHasAllTexts(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL)
	type keys struct{ En, Zh, Asked, Blank []string }
	got := browser.Eval[keys](s.tab, `import('/page/texts.js').then(({ texts }) => ({
		En: Object.keys(texts.en).sort(), Zh: Object.keys(texts.zh).sort(),
		Blank: Object.entries(texts).flatMap(([, of]) => Object.keys(of).filter(key => !of[key].trim())),
		Asked: ['text', 'label', 'hint', 'title'].flatMap(name =>
			[...document.querySelectorAll('[data-' + name + ']')].map(e => e.dataset[name]).filter(Boolean)) }))`)
	if !slices.Equal(got.En, got.Zh) {
		s.Errorf("English has %q\nChinese has %q", got.En, got.Zh)
	}
	for _, key := range got.Asked {
		if !slices.Contains(got.En, key) {
			s.Errorf("no text for %q", key)
		}
	}
	if len(got.Blank) > 0 || len(got.Asked) < 20 {
		s.Errorf("blank: %q; asked for: %q", got.Blank, got.Asked)
	}
}
