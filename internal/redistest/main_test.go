package redistest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// answerTime is how long an answer may take that must come.
	answerTime = 20 * time.Second
	// silence is how long one listens for an answer that must not come.
	silence = 100 * time.Millisecond
)

// client is a bare connection: it shows what bytes come, and when none do.
type client struct {
	*testing.T
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

// send sends a command in the inline form. A broken connection shows when
// reading.
func (c *client) send(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Conn, format+"\r\n", args...)
}

// line returns the next line with its end.
func (c *client) line(within time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		c.Fatal(err)
	}
	return c.lines.ReadString('\n')
}

func (c *client) expect(lines ...string) {
	c.Helper()
	for _, want := range lines {
		if got, err := c.line(answerTime); got != want+"\r\n" {
			c.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

func (c *client) expectSilence() {
	c.Helper()
	if got, err := c.line(silence); got != "" || !os.IsTimeout(err) {
		c.Fatalf("got %q, %v; want silence", got, err)
	}
}

// expectEnd waits for the connection's end, in order or not.
func (c *client) expectEnd() error {
	c.Helper()
	got, err := c.line(answerTime)
	if got != "" || err == nil || os.IsTimeout(err) {
		c.Fatalf("got %q, %v; want the end", got, err)
	}
	return err
}

// expectClose waits until the other side has closed the connection in order.
func (c *client) expectClose() {
	c.Helper()
	if err := c.expectEnd(); err != io.EOF {
		c.Fatalf("the end is %v, want EOF", err)
	}
}

// expectRefusal connects where connections fail, at once or soon after.
func expectRefusal(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	(&client{t, conn, bufio.NewReader(conn)}).expectEnd()
}

// await waits until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(answerTime); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
