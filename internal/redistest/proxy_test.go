package redistest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

// behind starts a server and a proxy to it.
func behind(t *testing.T) (*redistest.Server, *redistest.Proxy) {
	t.Helper()
	s := redistest.Start(t)
	return s, redistest.StartProxy(t, s.Addr)
}

// connected dials and makes sure that the connection reaches a server.
func connected(t *testing.T, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.send("PING")
	c.expect("+PONG")
	return c
}

func TestProxyPassesBytesOn(t *testing.T) {
	t.Parallel()
	_, p := behind(t)
	c := dial(t, p.Addr)
	value := strings.Repeat("0123456789abcdef", 1<<16)
	c.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n%s", len(value), value)
	c.expect("+OK")
	c.send("GET a")
	c.expect(fmt.Sprintf("$%d", len(value)), value)
	if n := p.Conns(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	// The end goes its own way, behind the last command.
	c.send("GET a")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.expect(fmt.Sprintf("$%d", len(value)), value)
	c.expectClose()
	await(t, "the connection ends", func() bool { return p.Conns() == 0 })
}

func TestCut(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	a, b := connected(t, p.Addr), connected(t, p.Addr)
	if n := p.Cut(); n != 2 {
		t.Errorf("cut %d, want 2", n)
	}
	if n := p.Conns(); n != 0 {
		t.Errorf("%d connections after a cut, want none", n)
	}
	a.expectEnd()
	b.expectEnd()
	await(t, "the server sees the end", func() bool {
		return strings.Count(s.Must("CLIENT", "LIST", "TYPE", "normal"), "id=") == 1
	})
	connected(t, p.Addr)
}

// TestCutAfter has connections end in the middle of an answer.
func TestCutAfter(t *testing.T) {
	t.Parallel()
	_, p := behind(t)
	before := connected(t, p.Addr)
	lives := []int{len("+PONG\r\n+PO"), 3}
	p.CutAfter(func() int {
		life := lives[0]
		lives = lives[1:]
		return life
	})
	c := connected(t, p.Addr)
	c.send("PING")
	if got, err := io.ReadAll(c.lines); string(got) != "+PO" || err != nil {
		t.Errorf("got %q, %v; want a part of the answer and the end", got, err)
	}
	c = dial(t, p.Addr)
	c.send("PING")
	if got, err := io.ReadAll(c.lines); string(got) != "+PO" || err != nil {
		t.Errorf("got %q, %v; want a part of the answer and the end", got, err)
	}
	p.CutAfter(nil)
	for _, c := range []*client{before, connected(t, p.Addr)} {
		for range 100 {
			c.send("PING")
			c.expect("+PONG")
		}
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	for name, direction := range map[string]redistest.Direction{
		"up": redistest.Up, "down": redistest.Down, "both": redistest.Both,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := behind(t)
			torn, idle := connected(t, p.Addr), connected(t, p.Addr)
			p.Stall(direction)
			torn.send("INCR n")
			torn.expectSilence()
			late := dial(t, p.Addr)
			late.send("INCR n")
			late.expectSilence()
			want := ""
			if direction == redistest.Down {
				want = "2"
			}
			await(t, "what was sent has its effect", func() bool { return s.Must("GET", "n") == want })
			p.Resume()
			for _, c := range []*client{torn, late} {
				c.send("INCR n")
				c.expectSilence()
			}
			if got := s.Must("GET", "n"); got != want {
				t.Errorf("torn connections go on: n is %q, want %q", got, want)
			}
			idle.send("PING")
			idle.expect("+PONG")
			connected(t, p.Addr)
			n := p.Conns()
			_ = torn.Close()
			await(t, "a torn connection ends", func() bool { return p.Conns() == n-1 })
			p.Cut()
			late.expectEnd()
		})
	}
}

func TestStallOfOneDirectionLeavesTheOther(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	c := dial(t, p.Addr)
	c.send("SUBSCRIBE wire")
	c.expect("*3", "$9", "subscribe", "$4", "wire", ":1")
	p.Stall(redistest.Up)
	c.send("PING")
	s.Must("PUBLISH", "wire", "one")
	c.expect("*3", "$7", "message", "$4", "wire", "$3", "one")
	p.Resume()
	s.Must("PUBLISH", "wire", "two") // the torn stream is silent now
	c.expectSilence()
}

func TestDeafen(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	c, other := connected(t, p.Addr), connected(t, p.Addr)
	c.send("CLIENT SETNAME deaf")
	c.expect("+OK")
	var addr string
	for line := range strings.Lines(s.Must("CLIENT", "LIST")) {
		if fields := strings.Fields(line); strings.Contains(line, " name=deaf ") {
			addr = strings.TrimPrefix(fields[1], "addr=")
		}
	}
	if !p.Deafen(addr) || p.Deafen("127.0.0.1:1") {
		t.Fatalf("%q is not found, or 127.0.0.1:1 is", addr)
	}
	c.send("SET a 1")
	c.expectSilence()
	other.send("EXISTS a")
	other.expect(":0")
}

func TestStallsAddUp(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	c := connected(t, p.Addr)
	p.Stall(redistest.Up)
	p.Stall(redistest.Down)
	c.send("SET a 1")
	c.expectSilence()
	if got := s.Must("GET", "a"); got != "" {
		t.Errorf("a is %q", got)
	}
	p.Resume()
	p.Resume() // once more does nothing
	connected(t, p.Addr)
}

func TestStallHoldsBackTheEnd(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	c := connected(t, p.Addr)
	p.Stall(redistest.Down)
	if n := s.KillClients("normal"); n != 1 {
		t.Errorf("killed %d clients, want 1", n)
	}
	c.expectSilence()
	p.Resume()
	c.expectClose()

	c = connected(t, p.Addr)
	p.Stall(redistest.Up)
	_ = c.Close()
	time.Sleep(silence) // for what must not happen
	if n := s.KillClients("normal"); n != 1 {
		t.Errorf("the server has %d clients in the stall, want 1", n)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const by = 150 * time.Millisecond
	for name, direction := range map[string]redistest.Direction{
		"up": redistest.Up, "down": redistest.Down, "both": redistest.Both,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p := behind(t)
			c := connected(t, p.Addr)
			p.Delay(direction, by)
			least := by
			if direction == redistest.Both {
				least = 2 * by
			}
			start := time.Now()
			c.send("PING")
			c.expect("+PONG")
			if took := time.Since(start); took < least {
				t.Errorf("an answer after %v, want at least %v", took, least)
			}
			// Numbers that leave one by one, the last ones without a delay.
			const n = 60
			for i := 1; i <= n; i++ {
				if i == n/2 {
					p.Delay(direction, 0)
				}
				c.send("ECHO %d", i)
			}
			for i := 1; i <= n; i++ {
				text := fmt.Sprint(i)
				c.expect(fmt.Sprintf("$%d", len(text)), text)
			}
			p.Delay(direction, time.Hour)
			c.send("PING")
			c.expectSilence()
			p.Cut() // does not wait for the hour
			c.expectEnd()
		})
	}
}

func TestDelayOfOneDirectionLeavesTheOther(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	c := dial(t, p.Addr)
	c.send("SUBSCRIBE wire")
	c.expect("*3", "$9", "subscribe", "$4", "wire", ":1")
	p.Delay(redistest.Up, time.Hour)
	s.Must("PUBLISH", "wire", "one")
	c.expect("*3", "$7", "message", "$4", "wire", "$3", "one")
	p.Delay(redistest.Up, 0)
	p.Delay(redistest.Down, time.Hour)
	dial(t, p.Addr).send("INCR n")
	await(t, "the server gets the command", func() bool { return s.Must("GET", "n") == "1" })
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	_, p := behind(t)
	c := connected(t, p.Addr)
	p.Refuse(true)
	expectRefusal(t, p.Addr)
	if n := p.Conns(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	c.send("PING")
	c.expect("+PONG")
	p.Refuse(false)
	connected(t, p.Addr)
}

func TestTarget(t *testing.T) {
	t.Parallel()
	s, p := behind(t)
	other := redistest.Start(t)
	s.Must("SET", "name", "old")
	other.Must("SET", "name", "new")
	c := connected(t, p.Addr)
	p.Target(other.Addr)
	c.send("GET name")
	c.expect("$3", "old")
	c = connected(t, p.Addr)
	c.send("GET name")
	c.expect("$3", "new")

	other.Kill()
	c.expectEnd()
	expectRefusal(t, p.Addr)
	other.Restart()
	connected(t, p.Addr)
}

// A proxy's end is not held up by what it holds back.
func TestProxyEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var left *client
	t.Run("test", func(inner *testing.T) {
		_, p := behind(inner)
		left = connected(t, p.Addr)
		p.Delay(redistest.Up, time.Hour)
		left.send("PING")
		p.Stall(redistest.Both)
	})
	left.expectEnd()
}

// What is held goes on when it is held no longer, and nothing is lost; clients
// from elsewhere notice nothing.
func TestHold(t *testing.T) {
	t.Parallel()
	_, p := behind(t)
	far := func() *client {
		conn, err := redistest.DialFrom("127.0.3.1").DialContext(t.Context(), "tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{t, conn, bufio.NewReader(conn)}
	}
	near, old := connected(t, p.Addr), far()
	old.send("SUBSCRIBE wire")
	old.expect("*3", "$9", "subscribe", "$4", "wire", ":1")
	p.Hold("127.0.3.1")
	fresh := far()
	fresh.send("SET a 1")
	near.send("PUBLISH wire x")
	near.expect(":1")
	near.send("EXISTS a")
	near.expect(":0")
	old.expectSilence()
	fresh.expectSilence()
	p.Hold()
	old.expect("*3", "$7", "message", "$4", "wire", "$1", "x")
	fresh.expect("+OK")
	p.Hold("127.0.3.1")
	fresh.send("PING")
	fresh.expectSilence()
	p.Cut() // does not wait
	fresh.expectEnd()
}
