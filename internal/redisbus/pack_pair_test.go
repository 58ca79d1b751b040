package redisbus_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestPacksReadAsSingles has the same happen to two topics of a store that loses
// things, only that one of them gets in packs what the other gets one by one. Who
// comes back with a cursor of theirs, be it lost itself, finds the same in both.
func TestPacksReadAsSingles(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2})
	defer store.Close()
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		p := &pair{T: rt, store: store, prefix: fmt.Sprintf("tt:{%d}:", runs.Add(1))}
		limits := event.Retention{Messages: rapid.IntRange(1, 30).Draw(rt, "messages")}
		bus, err := redisbus.Open(redisbus.Options{URL: server.URL, Prefix: p.prefix, Beat: 10 * time.Millisecond, Retention: limits})
		if err != nil {
			rt.Fatal(err)
		}
		defer bus.Close()
		p.bus = bus
		p.save()
		rt.Repeat(map[string]func(*rapid.T){
			"publish": func(rt *rapid.T) { p.publish(rapid.IntRange(1, 12).Draw(rt, "size")) },
			"save":    func(*rapid.T) { p.save() },
			"lose":    func(*rapid.T) { p.lose() },
			"read":    p.compare,
		})
	})
}

// pair is two topics: the first one gets packs.
type pair struct {
	*rapid.T
	bus    *redisbus.Bus
	store  *redis.Client
	prefix string
	count  int                 // messages published
	ever   [2][]event.Cursor   // of all of them
	places [2][]event.Position // of those that are not lost, and of where losses are told
	saved  [2]int              // how many of these places the saved data have
}

var pairTopics = [2]event.Topic{"packs", "singles"}

func (p *pair) publish(size int) {
	var batch []event.Message
	for range size {
		batch = append(batch, event.Message{Topic: pairTopics[0], Data: event.Data{Text: fmt.Sprint(p.count)}})
		p.count++
	}
	p.send(0, batch)
	for _, m := range batch {
		m.Topic = pairTopics[1]
		p.send(1, []event.Message{m})
	}
}

func (p *pair) send(i int, batch []event.Message) {
	receipts, err := p.bus.Publish(p.Context(), batch)
	if err != nil {
		p.Fatal(err)
	}
	for _, r := range receipts {
		p.ever[i] = append(p.ever[i], r.Cursor)
		p.places[i] = append(p.places[i], r.Cursor.Position)
	}
}

// copied puts copies of all keys with one prefix in the place of those with
// another one, at one moment. They are as after a restart: another run's.
const copied = `for _, k in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do redis.call('DEL', k) end
for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('COPY', k, ARGV[2] .. string.sub(k, #ARGV[1] + 1)) end
redis.call('HSET', ARGV[2] .. 'clock', 'run', 'another')`

func (p *pair) save() {
	p.clock() // or there is nothing to be saved yet
	p.copy(p.prefix, "saved:"+p.prefix)
	p.saved = [2]int{len(p.places[0]), len(p.places[1])}
}

func (p *pair) copy(from, to string) {
	if err := p.store.Eval(p.Context(), copied, nil, from, to).Err(); err != nil && !errors.Is(err, redis.Nil) {
		p.Fatal(err)
	}
}

// lose brings the store back as it was saved, and waits until what is lost is told.
func (p *pair) lose() {
	p.copy("saved:"+p.prefix, p.prefix)
	for i, topic := range pairTopics {
		lost := len(p.places[i]) > p.saved[i]
		p.places[i] = p.places[i][:p.saved[i]]
		if lost {
			p.places[i] = append(p.places[i], p.told(topic, p.places[i]))
		}
	}
}

// told waits until a loss of the topic is told, behind all that is left of it, and
// returns where.
func (p *pair) told(topic event.Topic, left []event.Position) event.Position {
	var last event.Position
	if len(left) > 0 {
		last = left[len(left)-1]
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		info, _, err := p.bus.Topic(p.Context(), topic)
		if err != nil {
			p.Fatal(err)
		}
		if info.Last.Position.After(last) {
			return info.Last.Position
		}
	}
	p.Fatalf("the loss of what %s had is not told", topic)
	return event.Position{}
}

func (p *pair) clock() event.Clock {
	clock, err := p.bus.Clock(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return clock
}

func (p *pair) compare(rt *rapid.T) {
	seen := rapid.IntRange(-1, p.count-1).Draw(rt, "seen")
	r := event.Range{
		Last:  rapid.IntRange(0, 5).Draw(rt, "last"),
		Limit: rapid.IntRange(0, 5).Draw(rt, "limit"),
	}
	upto := rapid.IntRange(0, len(p.places[0])).Draw(rt, "upto")
	clock := p.clock()
	var said [2]string
	for i, topic := range pairTopics {
		var lost event.Reason
		if r.Topic, r.After, r.Upto = topic, (event.Position{}), clock.Position; seen >= 0 {
			r.After, lost = clock.Resolve(p.ever[i][seen])
		}
		if upto < len(p.places[i]) {
			r.Upto = event.Latest(r.After, p.places[i][upto])
		}
		page, err := p.bus.History(rt.Context(), r)
		if err != nil {
			rt.Fatal(err)
		}
		said[i] = p.say(i, page, lost)
	}
	if said[0] != said[1] {
		rt.Fatalf("who has seen %d, up to place %d of %d, last %d, limit %d:\nin packs   %s\none by one %s", seen, upto, len(p.places[0]), r.Last, r.Limit, said[0], said[1])
	}
}

// say words a page. A position is told by how many places of the topic lie up to it.
func (p *pair) say(i int, page event.Page, lost event.Reason) string {
	number := func(at event.Position) (n int) {
		for _, place := range p.places[i] {
			if !place.After(at) {
				n++
			}
		}
		return n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d, %d]", lost, number(page.After), number(page.Upto))
	for _, g := range page.Gaps {
		fmt.Fprintf(&b, " gap %s up to %d", g.Reason, number(g.Position))
	}
	for _, e := range page.Events {
		fmt.Fprintf(&b, " %d<%d %s in %d", number(e.Position), number(e.Prev), e.Data.Text, e.Epoch.Number)
	}
	return b.String()
}
