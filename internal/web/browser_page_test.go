package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/emulation"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// row is one row of the page's list, as a reader sees it.
type row struct {
	Kind, Topic, Name, Key, Data, Reason string
}

// rows returns the page's rows, the newest first.
func (s *scene) rows() []row {
	s.Helper()
	return browser.Eval[[]row](s.tab, `[...document.querySelectorAll('#events > li')].map(li => {
		const text = name => li.querySelector('.' + name)?.textContent ?? '';
		return { Kind: li.className, Topic: text('topic'), Name: text('name'), Key: text('key'),
			Data: text('data'), Reason: text('reason') };
	})`)
}

func (s *scene) awaitRows(n int) []row {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`document.querySelectorAll('#events > li').length >= %d`, n), `document.body.innerText`)
	return s.rows()
}

func (s *scene) awaitState(state string) {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`document.querySelector('#state').dataset.state === '%s'`, state), `document.body.innerText`)
}

func (s *scene) text(selector string) string {
	s.Helper()
	return browser.Eval[string](s.tab, fmt.Sprintf(`document.querySelector('%s').innerText`, selector))
}

// awaitCursor waits until the page shows the cursor.
func (s *scene) awaitCursor(id string) {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`document.querySelector('#cursor').dataset.cursor === '%s'`, id), `document.body.innerText`)
}

// checkWidth fails if something sticks out to the right of the screen.
func (s *scene) checkWidth(width int64) {
	s.Helper()
	if got := browser.Eval[int64](s.tab, `document.scrollingElement.scrollWidth`); got > width {
		s.Errorf("the page is %d pixels wide on a screen of %d", got, width)
	}
}

// The page connects to what its URL names, shows events with their cursor,
// and publishes from its own origin.
func pageShowsAndPublishes(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.publish(node, note{Topic: "news", Data: "kept"})
	s.tab.Open(node.URL + "/?topic=news&topic=quotes.AAPL&since=all")
	s.awaitState("open")
	s.awaitRows(1)
	published := s.publish(node, note{Topic: "quotes.AAPL", Event: "trade", Key: "AAPL", Data: json.RawMessage(`{"price":24.60}`)})
	s.awaitRows(2)
	s.awaitCursor(published[0])

	s.tab.Type("#publish-topic", "news")
	s.tab.Type("#publish-event", "headline")
	s.tab.Type("#publish-data", "行情 & <b>more</b>")
	s.tab.Click("#send")
	want := []row{{Kind: "event", Topic: "news", Name: "headline", Data: "行情 & <b>more</b>"},
		{Kind: "event", Topic: "quotes.AAPL", Name: "trade", Key: "AAPL", Data: `{"price":24.60}`},
		{Kind: "event", Topic: "news", Name: "message", Data: "kept"}}
	if got := s.awaitRows(3); !slices.Equal(got, want) {
		s.Errorf("got %+v\nwant %+v", got, want)
	}
	s.tab.Wait(`document.querySelector('#receipt code')?.textContent === document.querySelector('#cursor').dataset.cursor`,
		`document.body.innerText`)
	if c := s.tab.Complaints(); len(c) > 0 {
		s.Errorf("the console complains: %v", c)
	}
}

// The page says when it is cut off, comes back by itself, and shows what a
// restart lost.
func pageComesBack(s *scene) {
	node := nodetest.Start(s, quick)
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	browser.Eval[bool](s.tab, `window.states = [], new MutationObserver(() =>
		states.push(document.querySelector('#state').dataset.state)).observe(document.querySelector('#state'),
		{ attributeFilter: ['data-state'] }), true`)
	node.Cut()
	s.tab.Wait(`states.includes('waiting') && states.at(-1) === 'open'`, `states`)
	s.publish(node, note{Topic: "news", Data: "after the cut"})
	if got := s.awaitRows(1); got[0].Kind != "event" || got[0].Data != "after the cut" {
		s.Errorf("after a cut: %+v", got)
	}
	node.Stop()
	s.awaitState("waiting")
	again := quick
	again.Addr = node.Addr
	nodetest.Start(s, again)
	s.awaitState("open")
	if got := s.awaitRows(2)[0]; got.Kind != "gap" || got.Topic != "news" || got.Reason != "store_lost" {
		s.Errorf("after a restart: %+v", got)
	}
	s.quiet()
}

// Where a stream is refused, the page tells the hub's reason; so it does for a
// publish.
func pageSaysWhatIsWrong(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=" + url.QueryEscape("<b>bold</b>"))
	s.tab.Wait(`document.querySelector('#problem').innerText.includes('"<b>bold</b>" has a character that is not allowed')`,
		`document.body.innerText`)
	if state := browser.Eval[string](s.tab, `document.querySelector('#state').dataset.state`); state == "open" {
		s.Error("the page says that a refused stream is open")
	}
	s.tab.Wait(`/^in \d+ s$/.test(document.querySelector('#countdown').textContent)`, `document.body.innerText`)

	s.tab.Type("#add-topic", "news")
	s.tab.Click("#add button")
	s.tab.Click("#topic-list li:first-child input")
	s.awaitState("open")
	s.tab.Wait(`document.querySelector('#problem').hidden`)
	if at := browser.Eval[string](s.tab, `location.search`); at != "?topic=news" {
		s.Errorf("the page's URL is now %s", at)
	}
	s.tab.Type("#publish-topic", "news")
	s.tab.Type("#publish-event", "hub.open")
	s.tab.Click("#send")
	s.tab.Wait(`document.querySelector('#receipt').innerText.includes('reserved')`, `document.body.innerText`)
	s.tab.Type("#publish-event", "trade")
	s.tab.Type("#publish-data", `{"price":24.60`)
	s.tab.Click("#publish-json")
	s.tab.Click("#send")
	s.tab.Wait(`document.querySelector('#receipt').innerText.includes('This is not JSON')`, `document.body.innerText`)
	s.tab.Type("#publish-data", `{"price":24.60}`)
	s.tab.Click("#send")
	if got := s.awaitRows(1)[0]; got.Name != "trade" || got.Data != `{"price":24.60}` {
		s.Errorf("published JSON came back as %+v", got)
	}
	s.tab.Open("about:blank")
	s.until("the stream ends", func() bool { return node.Streams.Open() == 0 })
	s.quiet()
}

// The page keeps the newest 500 rows and counts all.
func pageKeepsFewRows(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	var notes []note
	for i := range 600 {
		notes = append(notes, note{Topic: "news", Data: i})
	}
	published := s.publish(node, notes...)
	s.awaitCursor(published[len(published)-1])
	if got := s.rows(); len(got) != 500 || got[0].Data != "599" || got[499].Data != "100" {
		s.Errorf("%d rows, from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	if count := s.text("#count"); count != "600" {
		s.Errorf("counted %s of 600", count)
	}
	s.quiet()
}

// Whatever a publisher sends, the page shows it as text.
func pageShowsTextOnly(s *scene) {
	const image, script = `<img src=x onerror="pwned = 1">`, `<script>pwned = 1</script>`
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(node.URL + "/?topic=news&topic=" + url.QueryEscape(image))
	s.tab.Wait(`document.querySelector('#problem').innerText.includes('onerror')`, `document.body.innerText`)
	s.checkHarmless()
	s.tab.Open(node.URL + "/?topic=news&since=" + url.QueryEscape(script))
	s.tab.Wait(`document.querySelector('#problem').innerText.includes('pwned')`, `document.body.innerText`)
	s.checkHarmless()

	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	s.publish(node, note{Topic: "news", Event: image, Key: script, Data: image + "\n" + script},
		note{Topic: "news", Event: script, Data: map[string]string{"html": image}})
	got := s.awaitRows(2)
	if last := (row{"event", "news", image, script, image + "\n" + script, ""}); got[1] != last {
		s.Errorf("got %+v\nwant %+v", got[1], last)
	}
	var data map[string]string
	if err := json.Unmarshal([]byte(got[0].Data), &data); err != nil || data["html"] != image || got[0].Name != script {
		s.Errorf("got %+v, %v", got[0], err)
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	s.publish(node, note{Topic: "news", Event: "quote", Data: json.RawMessage(`{"price":{"rawJSON":{"toString":1}}}`)},
		note{Topic: "news", Event: "quote", Data: json.RawMessage(`{"__proto__":{"price":1},"toJSON":2,"title":{}}`)},
		note{Topic: "news", Data: json.RawMessage(deep)}, note{Topic: "news", Data: "alive"})
	if got := s.awaitRows(6); got[0].Data != "alive" || got[2].Data != `{"__proto__":{"price":1},"toJSON":2,"title":{}}` {
		s.Errorf("got %+v", got)
	}
	s.checkHarmless()
	s.quiet()
}

// checkHarmless looks for elements that only a publisher's markup can have
// made.
func (s *scene) checkHarmless() {
	s.Helper()
	made := browser.Eval[[]string](s.tab, `[...document.querySelectorAll('body img, body script')].map(e => e.outerHTML)`)
	if pwned := browser.Eval[string](s.tab, `typeof pwned`); len(made) > 0 || pwned != "undefined" {
		s.Errorf("markup was let in: %q, pwned: %s", made, pwned)
	}
}

// On a phone's screen nothing sticks out to the right, however long a word is.
func pageFitsPhone(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	s.tab.Viewport(390, 844)
	long := strings.Repeat("w", 255)
	quote := json.RawMessage(fmt.Sprintf(`{"symbol":%q,"price":123456789.12345678}`, long))
	for _, query := range [...]string{"", "?topic=news&topic=" + long, "?topic=" + long[:200] + "!"} {
		s.tab.Open(node.URL + "/" + query)
		switch {
		case strings.HasSuffix(query, "!"):
			s.tab.Wait(`document.querySelector('#problem').innerText.includes('www')`, `document.body.innerText`)
		case query != "":
			s.awaitState("open")
			s.publish(node, note{Topic: long, Event: long[:128], Key: long[:128], Data: long + long},
				note{Topic: long, Event: "quote", Data: quote},
				note{Topic: "news", Data: map[string]string{"title": long, "source": long}})
			s.awaitRows(3)
		}
		s.tab.Click("summary")
		s.tab.Type("#publish-topic", "hub."+long[:200])
		s.tab.Click("#send")
		s.tab.Wait(`document.querySelector('#receipt').innerText.includes('hub.www')`, `document.body.innerText`)
		s.checkWidth(390)
		s.tab.Click("#language")
		s.checkWidth(390)
		s.tab.Click("#language")
	}
	s.quiet()
}

// The page speaks the browser's language, and the other one at a click.
func pageSpeaksChinese(s *scene) {
	node := nodetest.Start(s, quick)
	agent := browser.Eval[string](s.tab, `navigator.userAgent`)
	browser.Call(s.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: "zh-CN"})
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	if state, send := s.text("#state"), s.text("#send"); state != "已连接" || send != "发布" {
		s.Errorf("in Chinese: %s, %s", state, send)
	}
	if untold := browser.Eval[[]string](s.tab, `[...document.querySelectorAll('[data-text]')].
		filter(e => e.dataset.text && !/\p{Script=Han}/u.test(e.textContent)).map(e => e.dataset.text)`); len(untold) > 0 {
		s.Errorf("without a Chinese text: %q", untold)
	}
	s.tab.Click("#language")
	if state, lang := s.text("#state"), browser.Eval[string](s.tab, `document.documentElement.lang`); state != "Connected" || lang != "en" {
		s.Errorf("after the switch: %s, %s", state, lang)
	}
	s.tab.Open(node.URL + "/?topic=news")
	s.awaitState("open")
	if state := s.text("#state"); state != "Connected" {
		s.Errorf("the choice was forgotten: %s", state)
	}
	s.quiet()
}
