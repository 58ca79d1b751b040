package referee_test

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/redisbus"
	"tickertape/internal/referee"
)

// Redis does not notice how many clients a node has.
func TestNoCommandsPerClient(t *testing.T) {
	// Not parallel: a node that is late makes fewer commands.
	window := either(5*time.Second, time.Minute)
	beat := either(50*time.Millisecond, time.Second)
	few, many := 10, either(500, 5000)
	c := referee.Start(t, referee.Options{Nodes: 1, Bus: redisbus.Options{Beat: beat}}, topics...)
	n := c.Nodes()[0]
	subscribe(t, n, few)
	idle := commands(t, c, window, func() {})
	loaded := commands(t, c, window, func() { subscribe(t, n, many-few) })
	ratio := float64(loaded.all) / float64(idle.all)
	t.Logf("%+v with %d subscribers, %+v with %d: %.3f", idle, few, loaded, many, ratio)
	if !full() {
		// A busy machine beats as it can, but never more often than it should.
		most := float64(idle.all) / float64(idle.beats) * (loaded.took.Seconds()/beat.Seconds() + 2)
		ratio = float64(loaded.all) / most
	}
	if idle.all == 0 || !(ratio <= 1.05) {
		t.Errorf("%.3f of the commands with %d subscribers", ratio, few)
	}
}

// count is how many commands Redis did in a time, and how many calls of nodes.
type count struct {
	all, beats int
	took       time.Duration
}

// subscribe opens streams, 100 to a topic.
func subscribe(t *testing.T, n *referee.Node, count int) {
	t.Helper()
	for i := range count {
		conn, err := net.Dial("tcp", n.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "GET /events?topic=idle.%d HTTP/1.1\r\nHost: %s\r\n\r\n", i/100, n.Addr); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(conn)
		for line := ""; line != "event: hub.open\n"; {
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// commands counts what Redis does in a window of time that begins with work.
func commands(t *testing.T, c *referee.Cluster, window time.Duration, work func()) count {
	t.Helper()
	before, began := calls(t, c), time.Now()
	end := time.After(window)
	work()
	<-end
	after := calls(t, c)
	return count{after.all - before.all, after.beats - before.beats, time.Since(began)}
}

// calls adds up all the commands of Redis' statistics.
func calls(t *testing.T, c *referee.Cluster) (sum count) {
	t.Helper()
	for line := range strings.Lines(c.Redis.Must("INFO", "commandstats")) {
		_, rest, ok := strings.Cut(line, ":calls=")
		if !ok || strings.HasPrefix(line, "cmdstat_info:") {
			continue
		}
		number, _, _ := strings.Cut(rest, ",")
		calls, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		sum.all += calls
		if strings.HasPrefix(line, "cmdstat_publish:") {
			sum.beats = calls
		}
	}
	return sum
}
