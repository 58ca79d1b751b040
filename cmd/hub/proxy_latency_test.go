//go:build unix

package main_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// maxDelay is what an event may take through a proxy. One that gathers bytes
// adds at least 200 ms.
const maxDelay = 50 * time.Millisecond

// TestLatency sends events at a fixed rate through Redis and the proxies, set
// up as deploy/ says: none of them is held back. Its short form runs with all
// tests, beside others: it looks at the median, for what a proxy holds up, it
// holds up always. The full one, by "make latency", looks at 99 of 100.
func TestLatency(t *testing.T) {
	events, every, share := 20, 100*time.Millisecond, 50
	if text := os.Getenv("LATENCY_EVENTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		events, every, share = n, time.Second, 99
	}
	for name, start := range map[string]func(*testing.T, ...string) string{"HAProxy": startHAProxy, "nginx": startNginx, "nginx with HTTP 1.0": startOldNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus, err := redisbus.Open(redisbus.Options{URL: redistest.Start(t).URL})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(bus.Close)
			url := start(t, nodetest.Start(t, nodetest.Options{Over: bus}).Addr)
			delays := measure(t, url, events+1, every)
			first, more := delays[0], slices.Sorted(slices.Values(delays[1:]))
			most := func(share int) time.Duration { return more[(len(more)*share+99)/100-1] }
			t.Logf("%s: first event after %v, %d more: p50 %v, p99 %v, most %v", name, first, len(more), most(50), most(99), most(100))
			if share == 99 && first > maxDelay || most(share) > maxDelay {
				t.Errorf("events take more than %v", maxDelay)
			}
		})
	}
}

// measure returns how long each of n events took from its publisher, through
// the proxy and the hub and the proxy again, to its reader.
func measure(t *testing.T, url string, n int, every time.Duration) []time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*every+endTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events?topic=news", nil)
	if err != nil {
		t.Fatal(err)
	}
	// What browsers say: a proxy that would compress does it now.
	request.Header.Set("Accept-Encoding", "gzip, deflate, br")
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, encoded as %q", answer.Status, encoding)
	}
	text := bufio.NewScanner(answer.Body)
	await(t, text, "event: hub.open")

	begun := make(chan time.Time, n)
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publisher := &http.Client{Transport: client.Transport, Timeout: endTime}
	publishing.Go(func() {
		tick := time.NewTicker(every) // a rate, not a condition
		defer tick.Stop()
		for i := range n {
			begun <- time.Now()
			if status, body := answered(publisher.Post(url+"/publish?topic=news", "text/plain", strings.NewReader(fmt.Sprint("event ", i)))); status != http.StatusOK {
				t.Errorf("publish: %d %s", status, body)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	var delays []time.Duration
	for i := range n {
		await(t, text, fmt.Sprint("data: event ", i))
		received := time.Now()
		delays = append(delays, received.Sub(<-begun))
	}
	return delays
}

// await reads up to the line.
func await(t *testing.T, text *bufio.Scanner, line string) {
	t.Helper()
	for text.Scan() {
		if text.Text() == line {
			return
		}
	}
	t.Fatalf("the stream ended, or was held back, before %q: %v", line, text.Err())
}
