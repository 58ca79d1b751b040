package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/browser"
	"tickertape/internal/fakellm"
	"tickertape/internal/torture"
)

// scene is the page in a browser, over three hubs behind HAProxy.
type scene struct {
	*testing.T
	cluster *torture.Cluster
	hub     string // the balancer
	llm     *fakellm.Server
	model   string // its address
	browser *browser.Browser
}

// The page shows what the model said, once, whatever happens meanwhile.
func TestPage(t *testing.T) {
	t.Parallel()
	s := &scene{T: t, cluster: torture.Start(t, torture.Options{Program: torture.Build(t)})}
	s.hub = "http://" + s.cluster.Balancer.Addr
	s.llm, s.model = serveModel(t, fakellm.Options{Delay: 40 * time.Millisecond, Tokens: 400, Seed: 1936})
	s.browser = browser.Start(t)
	s.nodeKilled()
	s.stopped()
	s.backendKilled()
	s.failed()
	s.hubsAway()
}

// page is a tab that shows the example.
type page struct {
	*scene
	tab *browser.Tab
}

func (s *scene) open(url string) *page {
	p := &page{s, s.browser.Tab(s)}
	p.tab.Open(url)
	return p
}

// ask types a prompt and returns the address of its answer.
func (p *page) ask(prompt string) (url string) {
	p.Helper()
	p.awaitStatus("idle")
	p.tab.Type("#prompt", prompt)
	p.tab.Click("#ask")
	p.tab.Wait(`location.search.startsWith('?topic=chat.')`, `document.body.innerText`)
	return browser.Eval[string](p.tab, `location.href`)
}

// awaitText waits until so many characters of the answer are shown.
func (p *page) awaitText(n int) {
	p.Helper()
	p.tab.Wait(fmt.Sprintf(`document.querySelector('#answer').textContent.length >= %d`, n), `document.body.innerText`)
}

func (p *page) awaitStatus(status string) {
	p.Helper()
	p.tab.Wait(fmt.Sprintf(`document.querySelector('main')?.dataset.status === '%s'`, status),
		`document.querySelector('main').dataset.status`, `document.body.innerText`)
}

func (p *page) text() string {
	p.Helper()
	return browser.Eval[string](p.tab, `document.querySelector('#answer').textContent`)
}

// wantWhole waits for the end and checks that all of the model's answer is shown.
func (p *page) wantWhole(prompt string) {
	p.Helper()
	p.awaitStatus("completed")
	if got := p.text(); got != p.llm.Answer(prompt) {
		p.Errorf("the page shows %q", got)
	}
	if got := browser.Eval[string](p.tab, `document.querySelector('#question').textContent`); got != prompt {
		p.Errorf("the page shows the question %q", got)
	}
	if shown := browser.Eval[bool](p.tab, `document.querySelector('#problem').hidden && document.querySelector('#stop').hidden`); !shown {
		p.Errorf("the page shows a problem, or the way to stop what has ended")
	}
}

// inUse returns a hub that serves a stream.
func (s *scene) inUse() (used *torture.Hub) {
	s.Helper()
	until(s.T, "a hub serves a stream", func() bool {
		for _, h := range s.cluster.Hubs {
			if !h.Over() && streams(h) > 0 {
				used = h
			}
		}
		return used != nil
	})
	return used
}

// streams returns how many a hub has open, as its metrics say.
func streams(h *torture.Hub) (n int) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Get("http://" + h.Admin + "/metrics")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "tickertape_streams %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// nodeKilled: the node that the page listens to dies in mid-answer; the page is
// reloaded, and a second tab opened.
func (s *scene) nodeKilled() {
	const prompt = "Who invented the ticker tape?"
	b := startBackend(s.T, s.hub, s.model)
	p := s.open(b.url)
	url := p.ask(prompt)
	p.awaitText(400)
	s.looks(p, "answer")
	killed := s.inUse()
	killed.Kill()
	shown := len(p.text())
	p.awaitText(shown + 100)
	p.tab.Open(url)
	p.awaitText(1)
	second := s.open(url)
	second.awaitText(1)
	p.awaitStatus("writing")
	for _, tab := range []*page{p, second, s.open(url)} {
		tab.wantWhole(prompt)
	}
	killed.Start()
	s.quiet(p, second)
	b.term(s.T)
}

// quiet checks that nothing listens any more, though the pages are open, and that
// they complain of nothing but the network.
func (s *scene) quiet(pages ...*page) {
	s.Helper()
	until(s.T, "all pages are done listening", func() bool {
		for _, h := range s.cluster.Hubs {
			if streams(h) > 0 {
				return false
			}
		}
		return true
	})
	for _, p := range pages {
		if c := p.tab.Complaints("network"); len(c) > 0 {
			s.Errorf("the console complains: %v", c)
		}
	}
}

// stopped: a reader stops the answer, from another tab than the one that asked.
func (s *scene) stopped() {
	const prompt = "Stop me"
	b := startBackend(s.T, s.hub, s.model)
	p := s.open(b.url)
	url := p.ask(prompt)
	second := s.open(url)
	for _, tab := range []*page{p, second} {
		tab.awaitText(50)
	}
	second.tab.Click("#stop")
	for _, tab := range []*page{p, second, s.open(url)} {
		tab.awaitStatus("cancelled")
		if got := tab.text(); got != p.text() || got == "" || !strings.HasPrefix(s.llm.Answer(prompt), got) {
			s.Errorf("the page shows %q", got)
		}
	}
	until(s.T, "the model is left alone", func() bool { a := s.llm.Asked(); return a[len(a)-1].Gone })
	b.term(s.T)
}

// backendKilled: who writes the answer dies; the pages are told.
func (s *scene) backendKilled() {
	b := startBackend(s.T, s.hub, s.model, "CHAT_LEASE=1s")
	p := s.open(b.url)
	p.ask("Who writes this?")
	p.awaitText(50)
	if err := b.Kill(); err != nil {
		s.Fatal(err)
	}
	p.awaitStatus("producer_lost")
	if got := p.text(); got == "" || !strings.HasPrefix(s.llm.Answer("Who writes this?"), got) {
		s.Errorf("the page shows %q", got)
	}
}

// failed: what the model's server does wrong is shown, behind what came before.
func (s *scene) failed() {
	b := startBackend(s.T, s.hub, s.model, "CHAT_MODEL=fake:error")
	p := s.open(b.url)
	p.ask("Fail")
	p.awaitStatus("failed")
	if got := browser.Eval[string](p.tab, `document.querySelector('#problem').innerText`); got != "The engine is overloaded" || p.text() == "" {
		s.Errorf("the page shows %q behind %q", got, p.text())
	}
	p.tab.Click("#again")
	p.ask("Fail again")
	p.awaitStatus("failed")
	b.term(s.T)
}

// hubsAway: who asks while there is no hub is told so.
func (s *scene) hubsAway() {
	b := startBackend(s.T, s.hub, s.model)
	p := s.open(b.url)
	p.awaitStatus("idle")
	for _, h := range s.cluster.Hubs {
		h.Kill()
	}
	p.tab.Type("#prompt", "Anyone?")
	p.tab.Click("#ask")
	p.tab.Wait(`document.querySelector('#problem').innerText.includes('hub cannot take an answer now')`, `document.body.innerText`)
	if got := browser.Eval[string](p.tab, `document.querySelector('#prompt').value`); got != "Anyone?" {
		s.Errorf("the prompt is %q now", got)
	}
	b.term(s.T)
}

// looks checks that nothing sticks out on any screen, and keeps pictures: where
// CHAT_PICTURES says, else where the test's files go.
func (s *scene) looks(p *page, name string) {
	s.Helper()
	dir := os.Getenv("CHAT_PICTURES")
	if dir == "" {
		dir = s.TempDir()
	}
	for suffix, screen := range map[string]browser.Screen{
		"": {Width: 880, Height: 560, Scale: 1}, "-dark": {Width: 880, Height: 560, Scale: 1, Dark: true},
		"-phone": {Width: 390, Height: 844, Scale: 1.5, Mobile: true},
	} {
		p.tab.Show(screen)
		if over := browser.Eval[int](p.tab, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			s.Errorf("%s%s: %d pixels too wide", name, suffix, over)
		}
		if err := os.WriteFile(filepath.Join(dir, "chat-"+name+suffix+".png"), p.tab.Screenshot(), 0o644); err != nil {
			s.Error(err)
		}
	}
	p.tab.Show(browser.Screen{Width: 1280, Height: 900, Scale: 1})
}
