//go:build unix

package main_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tickertape/internal/proctest"
	"tickertape/internal/redistest"
)

// What a storm may cost: publishing its 99th percentile by this factor.
const maxStormFactor = 3

// TestStorm has a node die under its clients, who all come to another one at once:
// that one goes on publishing, lets in as many a second as it may, and in the end all
// are back, and have every message once and in order. Its short form looks at no
// times; the full one runs by "make storm".
func TestStorm(t *testing.T) {
	clients, processes, rate, rounds, calm := 450, 3, 100, 1, 2*time.Second
	full := os.Getenv("STORM")
	if full != "" {
		n, err := strconv.Atoi(full)
		if err != nil || n < 1 {
			t.Fatalf("STORM is %q", full)
		}
		clients, rate, rounds, calm = n, 1000, 3, 20*time.Second
	}
	var all []storm
	for range rounds {
		s := weather(t, clients, processes, rate, calm)
		t.Logf("%d clients in %d processes, %d a second: half are back after %.1f s, 99 %% after %.1f s, all after %.1f s and have all messages after %.1f s, in %.2f attempts each; "+
			"publishing took p50 %v, p99 %v before by the node with the clients, %v, %v by the other one, and by that %v, %v meanwhile: %.2f times; the other hub's CPU %.2f of a core before, %.2f meanwhile, at most %.2f in a second, %.2f afterwards",
			clients, processes, rate, s.half.Seconds(), s.most.Seconds(), s.back.Seconds(), s.complete.Seconds(), s.attempts,
			quantile(s.before, .5), quantile(s.before, .99), quantile(s.alone, .5), quantile(s.alone, .99), quantile(s.meanwhile, .5), quantile(s.meanwhile, .99), s.factor(), s.cpuBefore, s.cpu, s.cpuMost, s.cpuAfter)
		all = append(all, s)
	}
	ideal := time.Duration(float64(clients) / float64(rate) * float64(time.Second))
	for _, s := range all {
		if s.back < ideal*9/10-time.Second {
			t.Errorf("all were back after %v: more than may came in a second", s.back)
		}
		if full != "" && s.back > 2*ideal+10*time.Second {
			t.Errorf("it took %v until all were back", s.back)
		}
	}
	if factor := median(all, storm.factor); full != "" && factor > maxStormFactor {
		t.Errorf("publishing took %.2f times as long", factor)
	}
}

// storm is what was seen of one.
type storm struct {
	half, most, back, complete        time.Duration   // since the node died
	attempts                          float64         // of each client
	before                            []time.Duration // that publishes took by the node with the clients
	alone, meanwhile                  []time.Duration // by the other one, before and during the storm
	cpuBefore, cpu, cpuMost, cpuAfter float64
}

func (s storm) factor() float64 {
	return float64(quantile(s.meanwhile, .99)) / float64(quantile(s.before, .99))
}

func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(q*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}

// weather is a storm from its calm to its calm.
func weather(t *testing.T, clients, processes, rate int, calm time.Duration) (s storm) {
	redis := redistest.Start(t)
	env := []string{"HUB_REDIS=" + redis.URL, "HUB_OPEN_RATE=" + strconv.Itoa(rate)}
	dying, staying := startProcess(t, "", env...), startProcess(t, "", env...)
	addresses := []string{strings.TrimPrefix(dying.url, "http://"), strings.TrimPrefix(staying.url, "http://")}
	arrival := time.Duration(float64(clients) / float64(rate) * 1.25 * float64(time.Second))
	crowds := make([]*crowd, processes)
	for i := range crowds {
		crowds[i] = startCrowd(t, clients/processes, arrival, addresses...)
	}
	now := func() (sum crowdState) {
		sum.least = crowds[0].state.Load().least
		for _, c := range crowds {
			one := c.state.Load()
			sum.open, sum.attempts, sum.faults, sum.least = sum.open+one.open, sum.attempts+one.attempts, sum.faults+one.faults, min(sum.least, one.least)
		}
		return sum
	}
	await := func(what string, within time.Duration, holds func() bool) time.Duration {
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			if holds() {
				return time.Since(begin)
			}
			if time.Since(begin) > within || now().faults > 0 {
				t.Fatalf("in vain waited until %s: %+v", what, now())
			}
		}
	}
	patience := 3*arrival + 30*time.Second
	await("all are there", patience, func() bool { return now().open == int64(clients) })

	news := publishSteadily(t, staying.url, "news", time.Second/2, "n ")
	normal := publishSteadily(t, dying.url, "probe", 10*time.Millisecond, "")
	probe := publishSteadily(t, staying.url, "probe", 10*time.Millisecond, "")
	defer news.end()
	defer probe.end()
	cpu := watchCPU(t, staying.cmd.Process.Pid)
	await("there is news for all", patience, func() bool { return now().least > 0 })
	normal.cut()
	probe.cut()
	cpu.cut()
	time.Sleep(calm) // a span to be measured
	normal.end()
	s.before, s.alone = normal.cut(), probe.cut()
	s.cpuBefore, _ = cpu.cut()

	attempts := now().attempts
	if err := dying.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	await("they are gone", patience, func() bool { return now().open < int64(clients)/2 })
	for _, share := range []struct {
		part float64
		when *time.Duration
	}{{.5, &s.half}, {.99, &s.most}, {1, &s.back}} {
		await("they are back", patience, func() bool { return now().open >= int64(share.part*float64(clients)) })
		*share.when = time.Since(begin)
	}
	published := news.count()
	await("they have all", patience, func() bool { return now().least >= published })
	s.complete = time.Since(begin)
	s.meanwhile = probe.cut()
	s.cpu, s.cpuMost = cpu.cut()
	s.attempts = float64(now().attempts-attempts) / float64(clients)
	time.Sleep(calm / 2)
	s.cpuAfter, _ = cpu.cut()
	if faults := now().faults; faults > 0 {
		t.Errorf("%d clients saw what they should not", faults)
	}
	return s
}

// crowdState is what a crowd tells of itself.
type crowdState struct {
	open, attempts, faults int64
	least                  int64 // the number that the last of them has come to
}

// crowd is one in this process' eyes.
type crowd struct {
	state atomic.Pointer[crowdState]
}

func startCrowd(t *testing.T, clients int, over time.Duration, addresses ...string) *crowd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), fmt.Sprintf("TEST_AS_CROWD=%d %s %s", clients, over, strings.Join(addresses, ",")), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = writer
	process, err := proctest.Start(cmd)
	_ = writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{}
	c.state.Store(&crowdState{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			var s crowdState
			if _, err := fmt.Sscan(lines.Text(), &s.open, &s.attempts, &s.faults, &s.least); err != nil {
				t.Errorf("a crowd said %q", lines.Text())
				return
			}
			c.state.Store(&s)
		}
	})
	t.Cleanup(func() {
		_ = process.Kill()
		reading.Wait()
		_ = reader.Close()
	})
	return c
}

// steady publishes numbers at a rate, and notes how long each publish took.
type steady struct {
	mu     sync.Mutex
	took   []time.Duration
	number int64
	stop   chan struct{}
	done   sync.WaitGroup
}

func publishSteadily(t *testing.T, url, topic string, every time.Duration, before string) *steady {
	s := &steady{stop: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	s.done.Go(func() {
		defer client.CloseIdleConnections()
		for next := time.Now(); ; {
			next = next.Add(every)
			select {
			case <-s.stop:
				return
			case <-time.After(time.Until(next)):
			}
			begin := time.Now()
			post(t, client, url, topic, fmt.Sprint(before, s.count()+1))
			s.mu.Lock()
			s.number++
			s.took = append(s.took, time.Since(begin))
			s.mu.Unlock()
		}
	})
	return s
}

// cut returns what was noted since the last cut.
func (s *steady) cut() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := s.took
	s.took = nil
	return took
}

func (s *steady) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

func (s *steady) end() {
	close(s.stop)
	s.done.Wait()
}

// spending is how much of a core a process takes.
type spending struct {
	mu         sync.Mutex
	begin      time.Time
	used, last float64 // seconds of CPU at the last cut, and a second ago
	most       float64 // of a core in any second since
	read       func() float64
	stop       chan struct{}
	done       sync.WaitGroup
}

func watchCPU(t *testing.T, pid int) *spending {
	s := &spending{begin: time.Now(), stop: make(chan struct{}), read: func() float64 { return cpuOf(t, pid) }}
	s.used = s.read()
	s.last = s.used
	s.done.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-second.C:
			}
			s.mu.Lock()
			now := s.read()
			s.most, s.last = max(s.most, now-s.last), now
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		close(s.stop)
		s.done.Wait()
	})
	return s
}

// cut returns how much of a core it took since the last cut, and in a second of that
// at most.
func (s *spending) cut() (mean, most float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.read()
	mean, most = (used-s.used)/time.Since(s.begin).Seconds(), s.most
	s.used, s.begin, s.most = used, time.Now(), 0
	return mean, most
}

// cpuOf returns the seconds of CPU that a process has taken (proc(5)).
func cpuOf(t *testing.T, pid int) float64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it is dead
	}
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		t.Error(err)
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	if err != nil {
		t.Error(err)
	}
	const second = 100 // in /proc, on all of Linux' architectures
	return (user + system) / second
}
