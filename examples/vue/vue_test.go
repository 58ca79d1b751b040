// Package vue_test builds the example and uses it in a browser, against three
// nodes.
package vue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"tickertape/internal/browser"
	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/referee"
)

var symbols = []string{"AAPL", "AMZN", "GOOG", "IBM", "MSFT"}

// kept is how many events of a topic are kept: few, to see some trimmed.
const kept = 40

// page is the built page, served before the nodes as by a load balancer.
type page struct {
	*testing.T
	cluster *referee.Cluster
	tab     *browser.Tab
	closed  atomic.Bool // streams are answered 503
}

func TestPage(t *testing.T) {
	t.Parallel()
	dist := build(t)
	p := &page{T: t}
	// The nodes remember next to nothing themselves: what Redis trims is gone.
	p.cluster = referee.Start(t, referee.Options{Nodes: 3, Node: nodetest.Options{Hub: hub.Options{LogFrames: 1}},
		Bus: redisbus.Options{Retention: event.Retention{Messages: kept, Bytes: 1 << 20, Age: time.Hour}}})
	server := httptest.NewServer(p.front(dist))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.tab = browser.Start(t).Tab(t)
	p.tab.Open(server.URL + "/")
	p.awaitState("open")

	stop := p.quotes()
	p.awaitChange()
	p.headlines("Rates stay", "Chips rally", "Oil falls")
	p.awaitMessages("Oil falls", "Chips rally", "Rates stay")
	p.looks("light")
	p.phone()
	p.tab.Viewport(1280, 900)
	stop()

	p.cutAndHealed()
	p.trimmed()
	if c := p.tab.Complaints("network"); len(c) > 0 {
		t.Errorf("the console complains: %v", c)
	}
}

// front answers for the page's files, and leads streams to any node.
func (p *page) front(dist string) http.Handler {
	streams := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		nodes := p.cluster.Nodes()
		node, _ := url.Parse(nodes[rand.N(len(nodes))].URL) // cannot fail
		r.SetURL(node)
	}}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dist)))
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		if p.closed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		streams.ServeHTTP(w, r)
	})
	return mux
}

func (p *page) publish(topic, name, data string) {
	p.Helper()
	nodes := p.cluster.Nodes()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m := event.Message{Topic: event.Topic(topic), Name: name, Data: event.Data{Text: data, JSON: true}}
	if _, err := nodes[rand.N(len(nodes))].Client.Publish(ctx, m); err != nil {
		p.Errorf("publish to %s: %v", topic, err)
	}
}

// quotes publishes a quote of each symbol again and again, each by any node.
func (p *page) quotes() (stop func()) {
	done := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for price := 100.0; ; price += 2 * (rand.Float64() - 0.45) {
			for i, s := range symbols {
				p.publish("quotes."+s, "quote", fmt.Sprintf(`{"symbol":%q,"price":%.2f}`, s, price*float64(i+1)+rand.Float64()))
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); publishing.Wait() })
	p.Cleanup(stop)
	return stop
}

func (p *page) headlines(titles ...string) {
	p.Helper()
	for _, title := range titles {
		p.publish("news", "headline", fmt.Sprintf(`{"title":%q,"link":"https://example.com/","source":"example"}`, title))
	}
}

func (p *page) awaitState(status string) {
	p.Helper()
	p.tab.Wait(fmt.Sprintf(`document.querySelector('.state')?.dataset.status === '%s'`, status), `document.body.innerText`)
}

// awaitChange waits until every tile has shown a price, and another one later.
func (p *page) awaitChange() {
	p.Helper()
	const prices = `[...document.querySelectorAll('.tile')].map(t => t.dataset.symbol + ' ' + t.querySelector('.price').innerText)`
	p.tab.Wait(prices+`.every(p => /^[A-Z]+ \d+\.\d\d$/.test(p))`, prices)
	before := browser.Eval[[]string](p.tab, `window.before = `+prices)
	if len(before) != len(symbols) {
		p.Fatalf("tiles %q", before)
	}
	begin := time.Now()
	p.tab.Wait(prices+`.every((p, i) => p !== before[i])`, prices)
	p.Logf("%d tiles changed in %v", len(before), time.Since(begin))
}

const messages = `[...document.querySelectorAll('.news li')].map(li => li.lastElementChild.innerText)`

// awaitMessages waits until the list has these on top, and checks that each
// is there once.
func (p *page) awaitMessages(want ...string) {
	p.Helper()
	p.tab.Wait(fmt.Sprintf(`%s[0] === '%s' && %s.length >= %d`, messages, want[0], messages, len(want)), messages)
	got := browser.Eval[[]string](p.tab, messages)
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		p.Errorf("messages %q, want %q", got, want)
	}
	slices.Sort(got)
	if once := slices.Compact(slices.Clone(got)); len(once) != len(got) {
		p.Errorf("shown twice: %q", got)
	}
}

// looks checks that nothing sticks out to the right, and keeps a picture.
func (p *page) looks(name string) {
	p.Helper()
	browser.Eval[bool](p.tab, `Promise.allSettled(document.getAnimations().filter(a => a instanceof CSSTransition).
		map(a => a.finished)).then(() => true)`)
	if over := browser.Eval[int](p.tab, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		p.Errorf("%s: %d pixels too wide", name, over)
	}
	if err := os.WriteFile(filepath.Join(p.ArtifactDir(), name+".png"), p.tab.Screenshot(), 0o644); err != nil {
		p.Error(err)
	}
}

func (p *page) phone() {
	p.Helper()
	p.tab.Viewport(390, 844)
	p.looks("phone")
	browser.Call(p.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	p.tab.Wait(`matchMedia('(prefers-color-scheme: dark)').matches`)
	p.looks("dark")
}

// cut breaks all streams and keeps them away; the function that it returns
// lets them in again.
func (p *page) cut() (heal func()) {
	p.Helper()
	p.closed.Store(true)
	for _, n := range p.cluster.Nodes() {
		n.Cut()
	}
	p.awaitState("waiting")
	p.tab.Wait(`document.querySelector('.problems')?.innerText.includes('Disconnected')`, `document.body.innerText`)
	return func() {
		p.closed.Store(false)
		p.awaitState("open")
		p.tab.Wait(`!document.querySelector('.problems')?.innerText.includes('Disconnected')`, `document.body.innerText`)
	}
}

// cutAndHealed: the page says that it is cut off, and misses nothing.
func (p *page) cutAndHealed() {
	p.Helper()
	heal := p.cut()
	p.looks("cut")
	p.headlines("While it was cut off", "And another")
	heal()
	p.awaitMessages("And another", "While it was cut off", "Oil falls")
}

// trimmed: what is gone for good is said.
func (p *page) trimmed() {
	p.Helper()
	heal := p.cut()
	for i := range 2 * kept {
		p.headlines("Number " + strconv.Itoa(i))
	}
	heal()
	p.tab.Wait(`document.querySelector('.problems')?.innerText.includes('Some events of news are gone (trimmed)')`, `document.body.innerText`)
	p.awaitMessages("Number "+strconv.Itoa(2*kept-1), "Number "+strconv.Itoa(2*kept-2))
	p.looks("gap")
}
