package stream_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/stream"
)

func TestQuietStreamShowsThatItLives(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		begin := time.Now()
		c := n.get("/")
		defer c.conn.Close()
		opening, _ := c.block()
		if opening["event"] != hub.OpenEvent || opening["data"] != `{"resumed":false}` || opening["id"] == "" {
			t.Fatalf("opening %v", opening)
		}
		signs := 0
		for ; ; signs++ {
			line, wait := c.line()
			if line != ":" {
				break
			}
			if n.exact {
				n.within("a sign of life", wait, 12, 18)
			}
		}
		if signs > 300/12 || n.exact && signs < 300/18 {
			t.Errorf("%d signs of life", signs)
		}
		n.within("the first cursor", time.Since(begin), 300, 300)
		// The line just read was the id of a block.
		if rest, _ := c.block(); rest["event"] != hub.CursorEvent || rest["data"] != "{}" {
			t.Errorf("after the comments came %v", rest)
		}
	})
}

func TestHeartbeatsCarryTheCursor(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		begin := time.Now()
		c := n.get("/?heartbeat")
		defer c.conn.Close()
		opening, _ := c.block()
		last := opening["id"]
		for i := range 5 {
			beat, wait := c.block()
			if beat["event"] != hub.HeartbeatEvent {
				t.Fatalf("after %v came %v", wait, beat)
			}
			n.within("a heartbeat", time.Since(begin), float64(i+1)*12, float64(i+1)*18)
			before, err := event.ParseCursor(last)
			now, err2 := event.ParseCursor(beat["id"])
			if err != nil || err2 != nil || before.Position.After(now.Position) || n.exact && now == before {
				t.Fatalf("the cursor went from %v to %v", before, now)
			}
			last = beat["id"]
		}
		n.publish("x")
		for {
			got, wait := c.block()
			if got["event"] == hub.HeartbeatEvent && !n.exact {
				continue
			}
			if got["data"] != "x" || n.exact && wait != 0 {
				t.Errorf("after %v came %v", wait, got)
			}
			break
		}
	})
}

func TestStalledClientIsCut(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		begin := time.Now()
		n.stick()
		if err := <-n.ended; !errors.Is(err, stream.ErrStalled) {
			t.Errorf("it ended with %v", err)
		}
		n.within("cut", time.Since(begin), 30, 30)
	})
}

func TestSlowClientIsServed(t *testing.T) {
	t.Parallel()
	start(t, stream.Options{Stall: 200 * time.Second}, func(n *node) {
		c := n.get("/")
		defer c.conn.Close()
		c.block()
		messages, pause := 1, 12*time.Second
		if !n.exact {
			messages, pause = 30, 5*time.Millisecond // more than the kernel holds
			// Else the client's kernel says only every 400 KB that it has room again.
			if err := c.conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
				t.Fatal(err)
			}
		}
		long := strings.Repeat("x", 100_000)
		for range messages {
			n.publish(long)
		}
		begin := time.Now()
		chunk := make([]byte, 4<<10)
		for got := 0; got < messages*len(long); {
			time.Sleep(pause)
			k, err := c.body.Read(chunk)
			if err != nil {
				t.Fatalf("cut after %d bytes, %v: %v", got, time.Since(begin), err)
			}
			got += k
		}
		n.within("all was read", time.Since(begin), 200, 1000)
	})
}
