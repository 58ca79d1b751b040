package redisbus_test

import (
	"fmt"
	"strings"
	"testing"

	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// durable are the arguments of a server that loses nothing.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// TestRestartWithoutLoss restarts a store that keeps everything, several
// times: nobody hears of it, and cursors of all epochs go on exactly.
func TestRestartWithoutLoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, durable...)
	a := startNode(t, redisbus.Options{URL: server.URL})
	live := a.open(hub.Start{}, "a", "b")
	var cursors, all []string
	publish := func(text string) {
		cursors = append(cursors, tell(t, a.bus, "a", text)...)
		tell(t, a.bus, "b", text)
		live.expect(fmt.Sprintf("a %s, b %s", text, text))
		all = append(all, "a "+text, "b "+text)
	}
	publish("0")
	for i := range 4 {
		server.Kill()
		server.Restart()
		publish(fmt.Sprint(i+1, " before"))
		publish(fmt.Sprint(i+1, " after"))
	}
	b := startNode(t, redisbus.Options{URL: server.URL})
	for _, n := range []*node{a, b} {
		for i, cursor := range cursors[:len(cursors)-1] {
			n.resume(cursor, "a", "b").expect(strings.Join(all[2*i+1:], ", "))
		}
		n.open(hub.Start{All: true}, "a", "b").expect(strings.Join(all, ", "))
	}
}

// TestManyEpochs lets a store begin more epochs than it remembers. Cursors of
// the last of them go on; of the others, nobody can tell any more what they
// missed.
func TestManyEpochs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	bus := openBus(t, redisbus.Options{URL: server.URL})
	var cursors []string
	for i := range 105 {
		cursors = append(cursors, tell(t, bus, "a", fmt.Sprint(i))...)
		server.Must("HSET", "tt:{0}:clock", "run", strings.Repeat("0", 40)) // as if another server had written last
	}
	n := startNode(t, redisbus.Options{URL: server.URL})
	tell(t, n.bus, "a", "end")
	settled(t, n) // the watermark has passed the end
	n.open(hub.Start{Last: 2}, "a").expect("a 104, a end")
	n.resume(cursors[103], "a").expect("a 104, a end")
	old := n.resume(cursors[10], "a").ends("a end")
	if len(old) != 105-10 || old[0] != "a 11" {
		t.Errorf("a cursor of the 11th of 106 epochs goes on with %q", old)
	}
	if kept := server.Must("HLEN", "tt:{0}:epochs"); kept != "100" {
		t.Errorf("the store remembers %s ended epochs", kept)
	}
	unknown := n.resume(cursors[0], "a")
	tell(t, n.bus, "a", "after")
	unknown.expect("gap a store_lost, a end, a after")
}
