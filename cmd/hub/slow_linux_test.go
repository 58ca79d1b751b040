package main_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowClients is how many clients of TestSlowClients do either.
const slowClients = 500

// TestSlowClients: a thousand clients that send their requests byte by byte do not
// keep the hub from serving others, and those that do not come to the end of their
// headers are cut off.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory", "HUB_MAX_CONNS_PER_ADDRESS=0")
	heads := p.openSlow("GET /events?topic=news HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	bodies := p.openSlow("POST /publish?topic=slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	began := time.Now()
	stop := make(chan struct{})
	var slow sync.WaitGroup
	for _, conns := range [][]net.Conn{heads, bodies} {
		slow.Go(func() { trickle(conns, stop) })
	}
	cut := make(chan time.Duration, 1)
	go func() {
		for _, c := range heads {
			_, _ = io.Copy(io.Discard, c) // until it is closed
		}
		cut <- time.Since(began)
	}()
	fair, _ := p.listen()
	served := 0
	for over := false; !over; served++ {
		select {
		case lasted := <-cut:
			over = true
			if lasted < 9*time.Second || lasted > 20*time.Second {
				t.Errorf("the last one was cut after %v", lasted)
			}
		case <-time.After(50 * time.Millisecond):
		}
		asked := time.Now()
		if status, answer := p.publish(strings.NewReader(fmt.Sprint(served))); status != 200 {
			t.Fatalf("others are answered %d %s", status, answer)
		}
		if block, ended := fair.block(); ended || !strings.HasSuffix(block, fmt.Sprintf("data: %d\n", served)) {
			t.Fatalf("others hear %q", block)
		}
		if took := time.Since(asked); took > 3*time.Second {
			t.Errorf("others wait for %v", took)
		}
	}
	close(stop)
	slow.Wait()
	if status, answer := p.get("/topics/slow"); served < 50 || status != 404 {
		t.Errorf("%d others were served; of what came slowly is stored: %d %s", served, status, answer)
	}
}

// openSlow opens connections, and sends the beginning of a request on each.
func (p *process) openSlow(head string) (conns []net.Conn) {
	p.t.Helper()
	for range slowClients {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, head); err != nil {
			p.t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return conns
}

// trickle sends one more byte on each connection now and then.
func trickle(conns []net.Conn, stop chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, c := range conns {
			_, _ = io.WriteString(c, "x") // it may be cut off
		}
	}
}
