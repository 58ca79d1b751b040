package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tab is one tab, in a session of its own: nothing is shared with other tabs,
// unless it was opened Beside one. Its methods fail the test on any error.
// They are for one goroutine.
type Tab struct {
	t     testing.TB
	ctx   context.Context
	close context.CancelFunc

	mu         sync.Mutex
	complaints []Complaint
	statuses   []int
}

// Complaint is an error that the page or the browser wrote to the console.
type Complaint struct {
	Source string // of the browser's own: "network", "security" …; "page" for the page's
	Text   string
}

// Tab opens a tab that closes with the test.
func (b *Browser) Tab(t testing.TB) *Tab {
	t.Helper()
	return newTab(t, b.ctx, chromedp.WithNewBrowserContext())
}

// Beside opens one more tab in this tab's session: they share storage and
// channels, and all else that belongs to an origin. It ends before this one.
func (tab *Tab) Beside() *Tab {
	tab.t.Helper()
	return newTab(tab.t, tab.ctx)
}

func newTab(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	tab := &Tab{t: t}
	tab.ctx, tab.close = chromedp.NewContext(parent, options...)
	t.Cleanup(tab.close)
	if err := begin(tab.ctx, tab.close); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(tab.ctx, tab.note); err != nil {
		t.Fatal(err)
	}
	return tab
}

// Close closes the tab before the test ends.
func (tab *Tab) Close() { tab.close() }

// note is called by the loop that reads from the browser: it must not block.
func (tab *Tab) note(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	complain := func(source, text string) { tab.complaints = append(tab.complaints, Complaint{source, text}) }
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			complain(string(e.Entry.Source), e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		complain("page", (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			complain("page", words(e.Args))
		}
	case *network.EventResponseReceivedExtraInfo:
		tab.statuses = append(tab.statuses, int(e.StatusCode))
	}
}

// words returns what a page wrote to the console.
func words(args []*runtime.RemoteObject) string {
	var texts []string
	for _, a := range args {
		texts = append(texts, a.Description+string(a.Value))
	}
	return strings.Join(texts, " ")
}

// Complaints returns the console's errors so far, without those of the given
// sources.
func (tab *Tab) Complaints(except ...string) []Complaint {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(tab.complaints), func(c Complaint) bool { return slices.Contains(except, c.Source) })
}

// Statuses returns the status of every answer that has come so far, also of
// those that the page was not allowed to see.
func (tab *Tab) Statuses() []int {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.statuses)
}

// Open loads a page and waits until it has loaded.
func (tab *Tab) Open(url string) {
	tab.t.Helper()
	tab.do("open "+url, chromedp.Navigate(url))
}

// Click clicks on the element.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type replaces what the element holds, as pasting over it does.
func (tab *Tab) Type(selector, text string) {
	tab.t.Helper()
	tab.do("type into "+selector, chromedp.Focus(chromedp.CSS(selector)),
		chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
	Call(tab, input.InsertText, input.InsertTextParams{Text: text})
}

// Viewport sets the page's size in CSS pixels, as on a phone.
func (tab *Tab) Viewport(width, height int64) {
	tab.t.Helper()
	tab.do("set the viewport", chromedp.EmulateViewport(width, height, chromedp.EmulateMobile))
}

// Screenshot returns what the viewport shows, as PNG.
func (tab *Tab) Screenshot() []byte {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTime)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatalf("take a screenshot: %v", err)
	}
	return picture
}

func (tab *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
}

// Call sends a command of the DevTools protocol to the tab.
func Call[P, R any](tab *Tab, command cdp.Command[P, R], params P) R {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTime)
	defer cancel()
	result, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return cdp.Call(ctx, t, command, params)
	})
	if err != nil {
		tab.t.Fatalf("%T: %v", params, err)
	}
	return result
}

// Eval evaluates an expression in the page, waits for it if it is a promise,
// and returns its value.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTime)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// Wait waits until the expression is true in the page. If that takes too
// long, the test fails and shows the value of each expression of evidence.
func (tab *Tab) Wait(condition string, evidence ...string) {
	tab.t.Helper()
	if Eval[bool](tab, fmt.Sprintf(waiting, condition, (stepTime-stepTime/10).Milliseconds())) {
		return
	}
	for _, e := range evidence {
		tab.t.Logf("%s = %s", e, Eval[[]byte](tab, e))
	}
	tab.t.Fatalf("still false: %s; console: %v", condition, tab.Complaints())
}

// waiting looks at a condition until it holds or its time is over. It is no
// string to the page, whose policy forbids eval. It leaves Date alone, which a
// test may have changed.
const waiting = `new Promise(done => {
	const end = performance.now() + %[2]d;
	const look = () => {
		if (%[1]s) done(true);
		else if (performance.now() > end) done(false);
		else setTimeout(look, 10);
	};
	look();
})`
