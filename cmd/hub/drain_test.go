//go:build unix

package main_test

import (
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inOrder is the last line of a hub that ended as it should.
const inOrder = "ended in order"

// farewell is how a stream ended.
type farewell struct {
	at    time.Time
	retry string
	news  int // events before
}

// follow reads the stream to its end.
func (r *reader) follow() (f farewell) {
	for {
		block, ended := r.block()
		if ended {
			f.at, f.retry = time.Now(), block
			return f
		}
		f.news += strings.Count(block, "data: ")
	}
}

// A node that ends is not ready at first, and nothing else changes; then its
// streams end one by one, and what is being published is finished.
func TestDrainHandsClientsOver(t *testing.T) {
	t.Parallel()
	const clients, wait, window = 20, 3 * time.Second, 4 * time.Second
	p := startProcess(t, "shared", "HUB_DRAIN_WAIT="+wait.String(), "HUB_DRAIN_WINDOW="+window.String())
	ends := make(chan farewell, clients+1)
	var reading sync.WaitGroup
	for range clients {
		r, _ := p.listen()
		reading.Go(func() { ends <- r.follow() })
	}
	finish := p.slowPublish()
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	p.until("it is not ready", func() bool {
		status, body := p.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	late, block := p.listen()
	if !strings.Contains(block, "hub.open") {
		t.Errorf("a stream that was asked for during the wait got %q", block)
	}
	reading.Go(func() { ends <- late.follow() })
	if status, answer := p.publish(strings.NewReader("during the wait")); status != http.StatusOK {
		t.Errorf("a publish during the wait: %d %s", status, answer)
	}
	if now := time.Since(begin); now > wait || len(ends) > 0 {
		t.Fatalf("%d streams had ended after %v", len(ends), now)
	}

	first := <-ends
	if status, answer := p.publish(strings.NewReader("during the window")); status != http.StatusOK {
		t.Errorf("a publish during the window: %d %s", status, answer)
	}
	if _, block := p.listen(); !onlyRetry.MatchString(block) {
		t.Errorf("a stream that was asked for during the window got %q", block)
	}
	reading.Wait()
	if status, answer := finish(); status != http.StatusOK {
		t.Errorf("the publish in flight: %d %s", status, answer)
	}
	if status := p.exit(); status != 0 || !strings.Contains(p.log.String(), inOrder) {
		t.Errorf("exit status %d", status)
	}
	close(ends)
	checkSpread(t, begin.Add(wait), window, append(collect(ends), first))
}

// onlyRetry is all that a stream's client gets that is sent away.
var onlyRetry = regexp.MustCompile(`^retry: \d+\n$`)

func collect(ends <-chan farewell) (all []farewell) {
	for f := range ends {
		all = append(all, f)
	}
	return all
}

// checkSpread checks that the streams ended over the window, each with its own
// advice when to come back.
func checkSpread(t *testing.T, from time.Time, window time.Duration, ends []farewell) {
	t.Helper()
	least, most := ends[0].at, ends[0].at
	retries := map[string]bool{}
	for _, f := range ends {
		if f.at.Before(from) || f.at.After(from.Add(window+closeSlack)) {
			t.Errorf("a stream ended %v after the wait, with a window of %v", f.at.Sub(from), window)
		}
		if f.at.Before(least) {
			least = f.at
		}
		if f.at.After(most) {
			most = f.at
		}
		if !onlyRetry.MatchString(f.retry) || f.news == 0 {
			t.Errorf("a stream ended with %q, after %d events", f.retry, f.news)
		}
		retries[f.retry] = true
	}
	// Of 21 random moments, all within a quarter of the window: one in 10^11.
	if most.Sub(least) < window/4 || len(retries) < len(ends)/2 {
		t.Errorf("%d streams ended within %v, with %d retries", len(ends), most.Sub(least), len(retries))
	}
}

// closeSlack is what a busy machine may add to the end of a stream.
const closeSlack = 3 * time.Second

// A person at a terminal, and a node whose bus is its own, wait for nobody.
func TestEndsWithoutDrain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bus     string
		signal  os.Signal
		publish int // status of a publish in flight
	}{
		"SIGINT":             {"shared", os.Interrupt, http.StatusOK},
		"memory and SIGTERM": {"memory", syscall.SIGTERM, http.StatusServiceUnavailable},
		"memory and SIGINT":  {"memory", os.Interrupt, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, c.bus, "HUB_DRAIN_WAIT=10m", "HUB_DRAIN_WINDOW=10m")
			r, _ := p.listen()
			finish := p.slowPublish()
			p.signal(c.signal)
			if block, ended := r.block(); !ended || !onlyRetry.MatchString(block) {
				t.Errorf("the stream ended with %q", block)
			}
			status, answer := finish()
			if status != c.publish || status != http.StatusOK && !strings.Contains(answer, `"stored":"no"`) {
				t.Errorf("the publish in flight: %d %s", status, answer)
			}
			if status := p.exit(); status != 0 || !strings.Contains(p.log.String(), inOrder) {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

// Whatever a node waits for, the second signal ends it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	const long, none = "10m", "0s"
	for name, c := range map[string]struct {
		bus, wait, window string
		first, second     os.Signal
	}{
		"in the wait":           {"shared", long, long, syscall.SIGTERM, syscall.SIGTERM},
		"in the wait, SIGINT":   {"shared", long, long, syscall.SIGTERM, os.Interrupt},
		"in the window":         {"shared", none, long, syscall.SIGTERM, syscall.SIGTERM},
		"in the window, SIGINT": {"shared", none, long, syscall.SIGTERM, os.Interrupt},
		"at the last request":   {"memory", none, none, os.Interrupt, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, c.bus, "HUB_DRAIN_WAIT="+c.wait, "HUB_DRAIN_WINDOW="+c.window)
			for range 3 { // one alone may end early in the window
				p.listen()
			}
			p.slowPublish()
			p.signal(c.first)
			p.until("the first signal has come", func() bool {
				if c.bus == "memory" { // it waits for the slow publish, and takes nobody more
					conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
					if err == nil {
						_ = conn.Close()
					}
					return err != nil
				}
				status, _ := p.get("/readyz")
				return status == http.StatusServiceUnavailable
			})
			p.signal(c.second)
			begin := time.Now()
			if status := p.exit(); status == 0 || strings.Contains(p.log.String(), inOrder) {
				t.Errorf("exit status %d", status)
			}
			if took := time.Since(begin); took > closeSlack {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}
