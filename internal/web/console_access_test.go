package web_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"

	"tickertape/internal/auth"
	"tickertape/internal/browser"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
)

// guarded starts a node with access rules: what everybody may subscribe to, and
// whose tokens it takes.
func (s *scene) guarded(anonymous ...string) (*nodetest.Node, *issuer) {
	s.Helper()
	i := newIssuer(s.T)
	o := quick
	o.Web.Authority = i.authority(auth.Rights{auth.Subscribe: selectors(s.T, anonymous...)})
	return nodetest.Start(s, o), i
}

// put publishes behind the hub's back, which asks nobody for a credential.
func (s *scene) put(node *nodetest.Node, topic string, data ...string) {
	s.Helper()
	for _, text := range data {
		if _, err := node.Bus.Publish(s.Context(), []event.Message{{Topic: event.Topic(topic), Data: event.Data{Text: text}}}); err != nil {
			s.Fatal(err)
		}
	}
}

const (
	asked    = `document.querySelector('#sign-in')?.hidden === false`
	notAsked = `document.querySelector('#sign-in').hidden`
	why      = `document.querySelector('#sign-in-why').textContent`
)

// awaitAsked waits until the page asks for a credential, for that reason.
func (s *scene) awaitAsked(reason string) {
	s.Helper()
	s.tab.Wait(fmt.Sprintf(`%s && %s.includes('%s')`, asked, why, reason), `document.body.innerText`)
}

// signIn enters a credential, and ends with Enter.
func (s *scene) signIn(credential string) {
	s.Helper()
	s.tab.Type("#credential", credential)
	for _, kind := range [...]input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		browser.Call(s.tab, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: "Enter", Text: "\r", WindowsVirtualKeyCode: 13})
	}
}

// A hub that asks for a credential gets one; the page keeps it for its tab alone,
// and forgets it, and what it has shown, when it is told to.
func pageSignsIn(s *scene) {
	node, i := s.guarded()
	s.put(node, "news", "secret of alice")
	s.tab.Open(node.URL)
	s.awaitAsked("takes a token or an API key")
	s.awaitState("locked")
	if focused := browser.Eval[string](s.tab, `document.activeElement.id`); focused != "credential" {
		s.Errorf("the focus is on %q", focused)
	}
	if s.visible("#forget") {
		s.Error("there is something to forget")
	}
	for credential, reason := range map[string]string{"nonsense": "no token", "zwölf": "no token and no API key has",
		i.token(claims{"exp": time.Now().Add(-time.Hour).Unix()}): "expired at", newIssuer(s.T).token(nil): "signature"} {
		s.signIn(credential)
		s.awaitAsked(reason)
		s.tab.Wait(`document.querySelector('#credential').ariaInvalid === 'true' && !document.querySelector('#enter').disabled`)
	}
	token := i.token(claims{"subscribe": "**", "publish": "news"})
	s.signIn("Bearer " + token + " ")
	s.awaitState("open")
	s.awaitData("secret of alice")
	s.tab.Wait(notAsked + ` && document.querySelector('#credential').value === ''`)
	s.tab.Type("#publish-topic", "news")
	s.tab.Type("#publish-data", "from alice")
	s.tab.Click("#send")
	s.awaitData("from alice")
	s.checkKept(token, "sessionStorage")

	s.tab.Open(node.URL + "/?topic=news")
	s.awaitData("from alice")
	s.checkKept(token, "sessionStorage")
	other := &scene{T: s.T, tab: s.tab.Beside()}
	other.tab.Open(node.URL)
	other.awaitAsked("takes a token or an API key")

	s.tab.Click("#forget")
	s.awaitAsked("takes a token or an API key")
	s.awaitState("locked")
	if rows := s.rows(); len(rows) > 0 || s.visible("#forget") {
		s.Errorf("still there: %+v", rows)
	}
	s.checkKept(token)
	s.checkKept("secret of alice")
	s.quiet()
}

func (s *scene) visible(selector string) bool {
	s.Helper()
	return browser.Eval[bool](s.tab, fmt.Sprintf(`document.querySelector('%s').checkVisibility()`, selector))
}

// checkKept checks where a page has a text that not everybody may see.
func (s *scene) checkKept(text string, want ...string) {
	s.Helper()
	got := browser.Eval[[]string](s.tab, fmt.Sprintf(`Object.entries({ sessionStorage: JSON.stringify({ ...sessionStorage }),
		localStorage: JSON.stringify({ ...localStorage }), cookie: document.cookie, address: location.href + JSON.stringify(history.state),
		page: document.documentElement.outerHTML }).filter(([, all]) => all.includes('%s')).map(([where]) => where)`, text))
	if !slices.Equal(got, want) {
		s.Errorf("%.20s… is kept in %q, want %q", text, got, want)
	}
}

// When its token expires the page asks for another one, shows what it has
// meanwhile, and then goes on without a loss.
func pageRenews(s *scene) {
	node, i := s.guarded()
	s.tab.Open(node.URL + "/?topic=news&last=1") // which would not do, but for the cursor
	s.awaitAsked("takes a token or an API key")
	s.signIn(i.token(claims{"subscribe": "**", "exp": time.Now().Add(6 * time.Second).Unix()}))
	s.awaitState("open")
	s.put(node, "news", "1", "2")
	s.awaitRows(2)
	s.tab.Click("#publish-data") // the focus stays with who writes
	s.awaitAsked("the token expired at")
	s.awaitState("locked")
	s.put(node, "news", "3", "4")
	if focused := browser.Eval[string](s.tab, `document.activeElement.id`); focused != "publish-data" {
		s.Errorf("the focus went to %q", focused)
	}
	if more := browser.Eval[int](s.tab, `new Promise(done => { // those that were under way may end meanwhile
		const locked = performance.now();
		setTimeout(() => done(performance.getEntriesByType('resource').filter(r => r.startTime > locked).length), 3500);
	})`); more > 0 {
		s.Errorf("%d requests while it waits for a token", more)
	}
	s.keepPicture("expired")
	s.signIn(i.token(claims{"subscribe": "**"}))
	s.awaitRows(4)
	s.put(node, "news", "5")
	s.awaitRows(5)
	if got, want := s.data(), []string{"1", "2", "3", "4", "5"}; !slices.Equal(got, want) {
		s.Errorf("got %q, want %q", got, want)
	}
	if s.visible("#gap") {
		s.Error("the page says that events are missing")
	}
	s.quiet()
}

// Who may listen to some topics only follows them by name; what is refused is
// said where it happens.
func pageOfFewRights(s *scene) {
	node, i := s.guarded()
	s.put(node, "news.a", "1")
	s.tab.Open(node.URL)
	s.awaitAsked("takes a token or an API key")
	s.signIn(i.token(claims{"subscribe": "news.**", "publish": "news.a"}))
	s.tab.Wait(`document.querySelector('#topics-why').textContent.includes('only news.**')`, `document.body.innerText`)
	s.awaitState("idle")
	if s.visible("#problem") || s.visible("#sign-in") || s.visible("#welcome") {
		s.Errorf("the page says %s", s.text("body"))
	}
	s.showEverywhere("rights")
	s.tab.Type("#add-topic", "news.**")
	s.tab.Click("#add button")
	s.awaitState("open")
	s.awaitData("1")
	s.tab.Type("#publish-topic", "chat")
	s.tab.Type("#publish-data", "2")
	s.tab.Click("#send")
	s.tab.Wait(`document.querySelector('#receipt').textContent.includes('may not publish to "chat", only news.a')`, `document.body.innerText`)
	s.tab.Type("#publish-topic", "news.a")
	s.tab.Click("#send")
	s.awaitData("2")

	s.tab.Type("#add-topic", "chat")
	s.tab.Click("#add button")
	s.tab.Wait(`document.querySelector('#problem').textContent.includes('may not subscribe to "chat", only news.**')`, `document.body.innerText`)
	s.tab.Click("#topic-list li:first-child input")
	s.awaitState("open")
	s.tab.Wait(`document.querySelector('#problem').hidden`)
	s.put(node, "news.b.c", "3")
	s.awaitData("3")
	if got, want := s.data(), []string{"1", "2", "3"}; !slices.Equal(got, want) {
		s.Errorf("got %q, want %q", got, want)
	}
	s.quiet()
}

// What everybody may listen to is heard without a token, and still when one has
// expired.
func pageOfEverybody(s *scene) {
	node, i := s.guarded("news.**")
	s.tab.Open(node.URL + "/?topic=news.a")
	s.awaitState("open")
	s.awaitAsked("takes a token or an API key") // for the list of topics
	s.put(node, "news.a", "1")
	s.awaitRows(1)
	s.tab.Type("#publish-topic", "news.a")
	s.tab.Click("#send")
	s.tab.Wait(`document.querySelector('#receipt').textContent.includes('to publish')`, `document.body.innerText`)
	s.signIn(i.token(claims{"subscribe": "news.**", "exp": time.Now().Add(6 * time.Second).Unix()}))
	s.tab.Wait(notAsked)
	s.awaitAsked("the token expired at")
	s.put(node, "news.a", "2")
	s.awaitRows(2)
	s.awaitState("open")
	if got, want := s.data(), []string{"1", "2"}; !slices.Equal(got, want) {
		s.Errorf("got %q, want %q", got, want)
	}
	s.quiet()
}

// On every screen the field has its place, and a hub that is open has none.
func pageShowsSignIn(s *scene) {
	open := nodetest.Start(s, nodetest.Options{})
	s.tab.Open(open.URL)
	s.tab.Wait(`!document.querySelector('#welcome').hidden`)
	for _, selector := range [...]string{"#sign-in", "#forget", "#topics-refused"} {
		if s.visible(selector) {
			s.Errorf("%s is shown by an open hub", selector)
		}
	}
	s.silent()
	node, i := s.guarded()
	s.tab.Open(node.URL)
	s.awaitState("locked")
	s.showEverywhere("sign-in")
	s.signIn(i.token(claims{"exp": time.Now().Add(-time.Hour).Unix(), "sub": strings.Repeat("w", 200)}))
	s.awaitAsked("expired at")
	s.showEverywhere("refused")
	s.signIn(i.token(claims{"subscribe": "**"}))
	s.tab.Wait(`!document.querySelector('#welcome').hidden`, `document.body.innerText`)
	if line := s.text("#lines"); !strings.Contains(line, `curl -H "Authorization: Bearer $HUB_TOKEN" -d`) {
		s.Errorf("it says %s", line)
	}
	s.showEverywhere("signed-in")
	s.quiet()
}

// showEverywhere makes pictures of what the page shows, in both languages, and
// checks that it fits.
func (s *scene) showEverywhere(name string) {
	s.Helper()
	for screen, of := range screens {
		s.tab.Show(of)
		s.checkWidth(of.Width)
		s.keepPicture(name + "-" + screen)
	}
	s.tab.Click("#language")
	s.tab.Show(screens["phone"])
	s.checkWidth(screens["phone"].Width)
	s.keepPicture(name + "-zh")
	s.tab.Click("#language")
	s.tab.Show(screens["light"])
}
