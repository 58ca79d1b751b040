package redisbus_test

import (
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestLossesAroundPacks has the store lose packs, or what stands around them, or
// know no more of their epoch. Who has seen a part of a pack gets what is left of
// it, and is told of what is not.
func TestLossesAroundPacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most             int               // messages kept of the topic; 0: all
		kept, gone, next []string          // packs, each of its texts
		want             map[string]string // of those who have seen one of these texts last
	}{
		"a pack is lost": {kept: []string{"1"}, gone: []string{"2 3 4"}, next: []string{"5 6"}, want: map[string]string{
			"1 2 3 4": "gap a store_lost, a 5, a 6", "5": "a 6"}},
		"what comes behind it is lost": {kept: []string{"1 2 3"}, gone: []string{"4", "5 6"}, next: []string{"7"}, want: map[string]string{
			"1": "a 2, a 3, gap a store_lost, a 7", "2": "a 3, gap a store_lost, a 7", "3 4 5 6": "gap a store_lost, a 7"}},
		"its epoch is forgotten": {gone: []string{"1 2 3", "4 5"}, next: []string{"6 7"}, want: map[string]string{
			"1 2 3 4 5": "gap a store_lost, a 6, a 7", "6": "a 7"}},
		"a part of it is trimmed before": {most: 3, kept: []string{"1 2 3 4 5"}, gone: []string{"6 7"}, want: map[string]string{
			"1": "gap a trimmed, a 3, a 4, a 5, gap a store_lost", "2": "a 3, a 4, a 5, gap a store_lost", "6 7": "gap a store_lost"}},
		"a part of it is trimmed since": {most: 3, kept: []string{"1", "2 3 4"}, gone: []string{"5 6"}, next: []string{"7"}, want: map[string]string{
			"1": "gap a trimmed, a 3, a 4, gap a store_lost, a 7", "2": "a 3, a 4, gap a store_lost, a 7", "5 6": "gap a store_lost, a 7"}},
		"a part of the next one is trimmed": {most: 3, kept: []string{"1 2 3"}, gone: []string{"4 5"}, next: []string{"6 7 8 9 10"}, want: map[string]string{
			"1 2": "gap a trimmed, gap a store_lost, gap a trimmed, a 8, a 9, a 10", "3 4 5": "gap a store_lost, gap a trimmed, a 8, a 9, a 10",
			"6": "gap a trimmed, a 8, a 9, a 10", "7": "a 8, a 9, a 10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			o := redisbus.Options{URL: server.URL, Retention: event.Retention{Messages: c.most}}
			n := startNode(t, o)
			live := n.open(hub.Start{}, "a")
			ids := map[string]string{}
			publish := func(packs []string) {
				for _, texts := range packs {
					for i, id := range pack(t, n.bus, texts) {
						ids[strings.Fields(texts)[i]] = id
					}
					live.expect("a " + strings.ReplaceAll(texts, " ", ", a "))
				}
			}
			if publish(c.kept); len(c.kept) > 0 {
				server.Save()
			}
			publish(c.gone)
			server.Kill()
			server.Restart()
			live.expect("gap a store_lost")
			publish(c.next)
			nodes := []*node{startNode(t, o)}
			if c.most == 0 {
				nodes = append(nodes, n) // else it has more in memory than the store has
			}
			for seen, want := range c.want {
				for _, text := range strings.Fields(seen) {
					for _, n := range nodes {
						n.resume(ids[text], "a").expect(want)
					}
				}
			}
		})
	}
}

// pack publishes texts, with spaces between, to topic a at once, as one pack, and
// returns their cursors.
func pack(t *testing.T, bus *redisbus.Bus, texts string) (ids []string) {
	t.Helper()
	var list []event.Message
	for _, text := range strings.Fields(texts) {
		list = append(list, event.Message{Data: event.Data{Text: text}})
	}
	for _, r := range sent(t, bus, list...) {
		ids = append(ids, r.Cursor.String())
	}
	return ids
}
