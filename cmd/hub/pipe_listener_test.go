//go:build unix

package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/client"
)

// lineListener checks that lines come once, in order.
type lineListener struct {
	mu    sync.Mutex
	last  int
	opens int
	wrong []string
	more  chan struct{} // closed and replaced when a line has come
}

func listenToLines(t *testing.T, w *way) *lineListener {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	hub, err := client.New("http://"+w.proxy.Addr, client.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	l := &lineListener{more: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_, err := hub.Listen(ctx, client.ListenOptions{Topics: []string{"lines"}, All: true},
			client.Handler{Event: l.event, Gap: l.gap, State: l.state})
		if !errors.Is(err, context.Canceled) {
			l.complain("the stream ended: %v", err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return l
}

func (l *lineListener) event(e client.Event) error {
	data, err := e.Text()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	number, _, _ := strings.Cut(data.Text, " ")
	if n, err := strconv.Atoi(number); err != nil || n != l.last+1 {
		l.wrong = append(l.wrong, fmt.Sprintf("%q came behind %d", number, l.last))
	} else {
		l.last = n
	}
	close(l.more)
	l.more = make(chan struct{})
	return nil
}

func (l *lineListener) gap(g client.Gap) error {
	l.complain("a gap of %s: %s", g.Topic, g.Reason)
	return nil
}

func (l *lineListener) state(s client.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Connected {
		l.opens++
	}
}

func (l *lineListener) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// await waits until the line has come.
func (l *lineListener) await(t *testing.T, line int, p *pipe) {
	t.Helper()
	limit := time.After(linesTime)
	for {
		l.mu.Lock()
		last, more, wrong := l.last, l.more, l.wrong
		l.mu.Unlock()
		if last >= line {
			return
		}
		if len(wrong) > 0 {
			t.Fatalf("of %d things that are wrong, the first: %s", len(wrong), wrong[0])
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("line %d has come, line %d has not; publisher says: %s", last, line, p.stderr.String())
		}
	}
}

func (l *lineListener) judge(t *testing.T, lines int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 || l.last != lines {
		t.Errorf("the last line is %d of %d; wrong: %.500q", l.last, lines, l.wrong)
	}
}

func (l *lineListener) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opens
}
