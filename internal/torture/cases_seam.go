package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// seamCases aim at single seams: places where what a client gets, or what a hub
// knows, is put together from two sources. The self-test made them: each shows a
// defect that no other case does.
func seamCases() []Case {
	return []Case{
		{Name: "come-and-go", Fault: "a hub started anew, and clients come and go with each event", Do: comeAndGo},
		{Name: "announcements-lost", Fault: "announcements lost on a connection that lives on, 10 times", Do: announcementsLost},
		{Name: "replays", Fault: "replays left in the middle while what they show is trimmed", Loss: referee.MayLose,
			Hub: []string{"HUB_RETAIN_MESSAGES=100"}, Reasons: []event.Reason{event.Trimmed}, Do: replays},
		{Name: "hole-cut", Fault: "clients cut off in the middle of a trimmed stretch, and back at a hub that has some of it", Loss: referee.MayLose,
			Hub: []string{"HUB_RETAIN_MESSAGES=100"}, Reasons: []event.Reason{event.Trimmed}, Do: holeCut},
		{Name: "quiet-topics", Fault: "clients away until topics have expired, or have been forgotten", Loss: referee.MayLose,
			Age: shortAge, Reasons: []event.Reason{event.Expired}, Do: quietTopics},
		{Name: "back-apart", Fault: "clients come back one after the other, each from a place of its own", Do: backApart},
		{Name: "calls-overtaken", Fault: "a call to Redis comes 4 s late, behind those that its hub made since, 3 times", Do: callsOvertaken},
		{Name: "refused-batches", Fault: "batches refused for a key that was used before, 50 times", Do: refusedBatches},
		{Name: "producers-cut", Fault: "producers who stream events in cut off in the middle of one, 50 times", Do: producersCut},
	}
}

// comeAndGo has clients take a few events at a time, each time from another hub,
// of which one has nothing in memory yet.
func comeAndGo(r *Run) {
	some := r.sendAway(2)
	r.forget()
	ways := make([]*client.Client, len(r.Hubs))
	for i, h := range r.Hubs {
		ways[i] = r.ClientAt(h)
	}
	ctx, cancel := context.WithTimeout(r.T.Context(), 3*time.Second)
	defer cancel()
	var sipping sync.WaitGroup
	for _, x := range some {
		draw := drawn(r.Rand.Uint64(), forFaults)
		sipping.Go(func() {
			for ctx.Err() == nil {
				x.Sip(ctx, ways[draw.IntN(len(ways))], 1+draw.IntN(3))
			}
		})
	}
	sipping.Wait()
	for _, x := range some {
		x.Resume(r.Reader)
	}
}

// announcementsLost leads a hub's connections through a sieve.
func announcementsLost(r *Run) {
	h := r.AnyHub()
	sieve := redistest.StartSieve(r.T, r.Redis.Addr)
	h.Redis.Target(sieve.Addr)
	h.Redis.Cut()
	r.Ready()
	for range 10 {
		upto := sieve.Lost() + 1 + r.Rand.IntN(3)
		sieve.Lose(upto - sieve.Lost())
		r.Await("announcements get lost", func() bool { return sieve.Lost() == upto })
		r.Flow(r.Rand.IntN(40))
	}
	h.Redis.Target(r.Redis.Addr)
	h.Redis.Cut()
}

// replays has one client begin with all that there is, leave in the middle, and
// come back when some of what it has yet to see, and had seen none of, is
// trimmed. That is told; what was gone when it came first is not. Another one
// comes back to a replay of the last few events, of which it had nothing.
func replays(r *Run) {
	topics := r.own(2)
	kept := 100
	var start string
	var cursors []string
	for range 15 {
		cursors = append(cursors, r.tell(r.Reader, turns(10, topics...)...)...)
	}
	start = cursors[len(cursors)-2*kept-1] // the last one that is gone
	r.hears(r.Hubs[0])                     // or it would not be, where the stream opens
	all := r.waiting("a replay of all", start, topics...)
	all.Begin(client.ListenOptions{All: true})
	all.Sip(r.T.Context(), r.ClientAt(r.Hubs[0]), 40+r.Rand.IntN(20))
	opened := r.parse(cursors[len(cursors)-1])
	for range 6 {
		r.tell(r.Reader, turns(10, topics...)...)
	}
	all.Resume(r.ClientAt(r.Hubs[1]))

	last := 10 + r.Rand.IntN(20)
	few := r.waiting("a replay of the last few", cursors[len(cursors)-2*last-1], topics...)
	few.Begin(client.ListenOptions{Cursor: event.Cursor{Epoch: opened.Epoch, Opened: opened.Position, Last: last}.String()})
	few.Resume(r.ClientAt(r.Hubs[2]))
}

// holeCut has a client away while one topic is trimmed and another is not, then
// take some events of the other one that lie in the hole, from a hub that has
// only what the store has, and go on at a hub that still has a part of the hole.
func holeCut(r *Run) {
	topics, start := r.own(2), r.here()
	busy, quiet := topics[0], topics[1]
	r.tell(r.Reader, turns(30, topics...)...)
	x := r.waiting("a client that misses a part", start, topics...)
	x.Sip(r.T.Context(), r.ClientAt(r.Hubs[0]), 60)
	keeper := r.waiting("a client that misses nothing", start, topics...)
	keeper.Resume(r.ClientAt(r.Hubs[0]))
	r.Await("a hub has the topics in memory", func() bool { return keeper.Events() == 60 })
	for range 6 {
		r.tell(r.Reader, turns(10, busy, busy, busy, quiet)...)
	}
	x.Sip(r.T.Context(), r.ClientAt(r.Hubs[1]), 2+r.Rand.IntN(15))
	x.Resume(r.ClientAt(r.Hubs[0]))
}

// quietTopics has clients away while nothing is left of topics, for one of them
// until the store has dropped these from its books.
func quietTopics(r *Run) {
	topics := r.own(2)
	// Of what was before, nobody can say any more that it was nothing.
	start := r.tell(r.Reader, topics...)[1]
	some := make([]*referee.Listener, 2)
	for i := range some {
		some[i] = r.waiting(fmt.Sprint("a client of quiet topics ", i), start, topics...)
	}
	r.tell(r.Reader, turns(10, topics...)...)
	for _, x := range some {
		x.Sip(r.T.Context(), r.ClientAt(r.Hubs[0]), 20)
	}
	r.tell(r.Reader, turns(10, topics...)...)
	r.Last(shortAge + time.Second)
	some[0].Resume(r.ClientAt(r.Hubs[1]))
	r.Await("the topics are forgotten", func() bool {
		for _, topic := range topics {
			if r.Redis.Must("ZSCORE", "tt:{0}:topics", string(topic)) != "" {
				return false
			}
		}
		return true
	})
	some[1].Resume(r.ClientAt(r.Hubs[2]))
}

// backApart has clients come back to a hub that has in memory but the end of
// what they miss. What one of them has had read for it, others can use.
func backApart(r *Run) {
	h, topic := r.AnyHub(), r.own(1)
	var cursors []string
	for range 12 {
		cursors = append(cursors, r.tell(r.Reader, turns(100, topic...)...)...)
	}
	keeper := r.waiting("a client that was there before", cursors[len(cursors)-1], topic...)
	keeper.Resume(r.ClientAt(h))
	r.Await("the hub has the topic in memory", func() bool { return keeper.Opens() > 0 })
	end := r.parse(r.tell(r.Reader, turns(150, topic...)...)[149]).Position
	for i := range 6 {
		place := r.Rand.IntN(100) + min(i, 1)*r.Rand.IntN(1000)
		x := r.waiting(fmt.Sprint("a client back from ", place), cursors[place], topic...)
		x.Resume(r.ClientAt(h))
		r.Await("the client is up to date", func() bool { return !end.After(x.Last()) })
	}
}

// callsOvertaken holds back what a hub sends on the connections that it has, but
// not on those that it makes then.
func callsOvertaken(r *Run) {
	for range 3 {
		h := r.AnyHub()
		h.Redis.Delay(redistest.Up, 4*time.Second)
		r.Last(100 * time.Millisecond)
		h.Redis.Delay(redistest.Up, 0)
		r.Last(5 * time.Second)
	}
}

// refusedBatches publishes batches whose last message has a key that was used
// for another one: they are refused as a whole, and nothing of them is stored.
func refusedBatches(r *Run) {
	for range 50 {
		topic := r.Topics[r.Rand.IntN(len(r.Topics))]
		used, text := r.Ledger.Add(topic, teller)
		first := message(topic, text)
		first.IdempotencyKey = fmt.Sprint(used)
		receipt, err := r.Reader.Publish(r.T.Context(), first)
		if err != nil {
			r.T.Fatalf("a message with a key: %v", err)
		}
		r.Ledger.Acknowledge(used, receipt.ID)
		var numbers []int
		var batch []event.Message
		for range 2 + r.Rand.IntN(5) {
			number, text := r.Ledger.Add(topic, teller)
			numbers, batch = append(numbers, number), append(batch, message(topic, text))
		}
		batch[len(batch)-1].IdempotencyKey = first.IdempotencyKey
		_, err = r.Reader.PublishBatch(r.T.Context(), batch)
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != http.StatusUnprocessableEntity {
			r.T.Fatalf("a batch with a key that another message had: %v", err)
		}
		for _, number := range numbers {
			r.Ledger.Refuse(number)
		}
	}
}

// producersCut streams events in, the last of which breaks off within its
// number: what is there of it is no event.
func producersCut(r *Run) {
	for range 50 {
		topic := r.Topics[r.Rand.IntN(len(r.Topics))]
		_, whole := r.Ledger.Add(topic, teller)
		number, half := r.Ledger.Add(topic, teller)
		r.Ledger.Refuse(number)
		body := fmt.Sprintf("data: %s\n\ndata: %s", whole, half[:1+r.Rand.IntN(len(half)-1)])
		conn, err := net.Dial("tcp", r.AnyHub().Addr)
		if err != nil {
			r.T.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "POST /publish?topic=%s HTTP/1.1\r\nHost: hub\r\nContent-Type: text/event-stream\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", topic, len(body), body)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, unread := io.Copy(io.Discard, conn) // the answer
		if err := errors.Join(err, unread, conn.Close()); err != nil {
			r.T.Fatalf("stream in: %v", err)
		}
	}
}
