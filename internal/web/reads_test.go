package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

// heldBus holds up those who look at a topic until it is let go.
type heldBus struct {
	hub.Bus
	asked chan struct{} // gets one of each
	free  chan struct{}
}

func (b *heldBus) Topic(ctx context.Context, t event.Topic) (event.TopicInfo, bool, error) {
	b.asked <- struct{}{}
	<-b.free
	return b.Bus.Topic(ctx, t)
}

// TestReadsAtOnce: a node reads so much at once, and one address a part of that.
func TestReadsAtOnce(t *testing.T) {
	t.Parallel()
	const most = 16
	bus := &heldBus{membus.New(membus.Options{}), make(chan struct{}, 2*most), make(chan struct{})}
	n := startNode(t, nodetest.Options{Over: bus, Web: web.Options{Limits: web.Limits{Reads: most, TrustedProxies: behindProxy()}}})
	<-n.Hub.Ready()
	var reading sync.WaitGroup
	read := func(address string) {
		reading.Go(func() {
			if a := n.do(t, get("/topics/news", from(address))); a.status != http.StatusNotFound {
				t.Errorf("%s is answered %d %s", address, a.status, a.body)
			}
		})
		<-bus.asked
	}
	for range most / 8 {
		read("203.0.113.1")
	}
	expectLimited(t, n.do(t, get("/topics/news", from("203.0.113.1"))), "203.0.113.1", "at once")
	for i := range most - most/8 {
		read(fmt.Sprint("203.0.113.", 2+i))
	}
	for _, path := range []string{"/topics/news", "/topics", "/topics/news/messages"} {
		a := n.do(t, get(path, from("203.0.113.99")))
		expectProblem(t, a, http.StatusServiceUnavailable, "as many read")
		if a.header.Get("Retry-After") == "" {
			t.Error("it is not told when to try again")
		}
	}
	close(bus.free)
	reading.Wait()
	if a := n.do(t, get("/topics", from("203.0.113.1"))); a.status != http.StatusOK {
		t.Errorf("when all is over: %d %s", a.status, a.body)
	}
	if got := n.Web.LimitStats()[web.LimitReads]; got != 4 {
		t.Errorf("%d are counted", got)
	}
}

// TestPagesAreBounded: no page has much more than a mebibyte of data, however many
// events are asked for; what follows is in the next.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	const messages, size = 13, 200 << 10
	for i := range messages {
		n.put(t, "big", fmt.Sprintf("%d %s", i, strings.Repeat("x", size)))
	}
	for _, start := range []string{"last=1000", "since=all", "since=1h"} {
		var got []string
		pages := 0
		for query := start; query != ""; pages++ {
			page := decode[struct {
				Topic    string
				Messages []event.Envelope
				Gaps     []any
				Next     string
				More     bool
			}](t, n.do(t, get("/topics/big/messages?limit=1000&"+query)))
			if len(page.Messages) > 6 || len(page.Messages) == 0 {
				t.Fatalf("%s: a page of %d KiB", query, len(page.Messages)*size>>10)
			}
			for _, e := range page.Messages {
				number, _, _ := strings.Cut(strings.Trim(string(e.Data), `"`), " ")
				got = append(got, number)
			}
			query = ""
			if page.More {
				query = "since=" + page.Next
			}
		}
		if text := strings.Join(got, " "); text != "0 1 2 3 4 5 6 7 8 9 10 11 12" || pages != 3 {
			t.Errorf("%s: %s, in %d pages", start, text, pages)
		}
	}
}
