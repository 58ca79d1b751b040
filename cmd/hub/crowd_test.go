package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A crowd is many browsers in a process of their own: this test's program. Each has
// one EventSource on the topic news, does what a browser's does, and expects the
// numbers that are published there, each once and in order.

// crowdVariable says how many they are, over which time they come, and to which
// addresses: to the first one that takes connections. Ten times a second such a
// process says how many streams are open, how many there were, how many clients saw
// what they should not, and the number that the last of them has come to.
const crowdVariable = "TEST_AS_CROWD"

// beCrowd is such a process. It ends by being killed.
func beCrowd(text string) {
	var clients int
	var over, addresses string
	if _, err := fmt.Sscan(text, &clients, &over, &addresses); err != nil {
		panic(err)
	}
	spread, err := time.ParseDuration(over)
	if err != nil {
		panic(err)
	}
	all := &browsers{addresses: strings.Split(addresses, ","), members: make([]browser, clients)}
	for i := range all.members {
		b := &all.members[i]
		b.of, b.retry = all, time.Duration(float64(spread)*float64(i)/float64(clients))
		go b.live(context.Background())
	}
	for {
		fmt.Println(all.open.Load(), all.attempts.Load(), all.faults.Load(), all.least())
		time.Sleep(100 * time.Millisecond)
	}
}

// browsers are the members of a crowd.
type browsers struct {
	addresses              []string
	members                []browser
	open, attempts, faults atomic.Int64
}

func (all *browsers) least() int64 {
	least := all.members[0].last.Load()
	for i := range all.members {
		least = min(least, all.members[i].last.Load())
	}
	return least
}

// browser is one EventSource.
type browser struct {
	of     *browsers
	retry  time.Duration // exactly what it waits
	cursor string
	last   atomic.Int64 // number; 0: none yet
}

func (b *browser) live(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(b.retry)
		b.of.attempts.Add(1)
		if err := b.listen(ctx); err != nil {
			b.of.faults.Add(1)
			fmt.Fprintln(os.Stderr, "crowd:", err)
		}
	}
}

// listen is one connection. Its end is no error, what a browser would not come back
// from is.
func (b *browser) listen(ctx context.Context) error {
	var conn net.Conn
	var err error
	for _, address := range b.of.addresses {
		if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			break
		}
	}
	if err != nil {
		b.retry = 3*time.Second/2 + rand.N(3*time.Second)
		return nil
	}
	defer func() { _ = conn.Close() }()
	request := "GET /events?topic=news HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n"
	if b.cursor != "" {
		request += "Last-Event-ID: " + b.cursor + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil
	}
	opened := false
	defer func() {
		if opened {
			b.of.open.Add(-1)
		}
	}()
	id := b.cursor
	for lines := bufio.NewReaderSize(conn, 1<<10); ; {
		text, err := lines.ReadSlice('\n')
		if err != nil {
			return nil
		}
		line := strings.TrimRight(string(text), "\r\n")
		if strings.HasPrefix(line, "HTTP/") && line != "HTTP/1.1 200 OK" {
			return fmt.Errorf("answered %q", line)
		}
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			b.cursor = id
		case field == "retry":
			ms, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			b.retry = time.Duration(ms) * time.Millisecond
		case field == "id":
			id = value
		case line == "event: hub.open" && !opened:
			opened = true
			b.of.open.Add(1)
		case strings.HasPrefix(line, "event: hub.gap"):
			return fmt.Errorf("a gap behind %d", b.last.Load())
		case strings.HasPrefix(line, "data: n "):
			if err := b.number(strings.TrimPrefix(line, "data: n ")); err != nil {
				return err
			}
		}
	}
}

func (b *browser) number(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if last := b.last.Load(); err != nil || last != 0 && n != last+1 {
		return fmt.Errorf("%q came behind %d", text, last)
	}
	b.last.Store(n)
	return nil
}
