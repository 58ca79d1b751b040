package referee

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// Listen starts a listener over the cluster's topics from its beginning on.
func (c *Cluster) Listen(name string) *Listener { return c.listen(c.client, name) }

// ListenAt is Listen by one node.
func (c *Cluster) ListenAt(n *Node, name string) *Listener {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	return c.listen(c.newClient(n.URL, transport), name)
}

func (c *Cluster) listen(from *client.Client, name string) *Listener {
	c.t.Helper()
	x, err := Listen(from, c.Ledger, name, c.start, c.topics...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(x.Stop)
	c.listeners = append(c.listeners, x)
	c.Await(name+" has a stream", func() bool { return x.Opens() > 0 })
	return x
}

// Traffic says how a cluster's publishers go about it.
type Traffic struct {
	Rate       int   // messages a second, at most, of all together
	Publishers int   // who each wait for an answer before they go on. 16
	Retry      bool  // until acknowledged, with an idempotency key
	Via        *Node // the only one to publish through; nil: any
}

// Publish publishes to the cluster's topics through any living nodes until
// the function that it returns is called, which waits for the last answers.
func (c *Cluster) Publish(o Traffic) (stop func()) {
	if o.Publishers == 0 {
		o.Publishers = 16
	}
	ctx, cancel := context.WithCancel(context.Background())
	turns := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { pace(ctx, o.Rate, turns) })
	for id := range o.Publishers {
		running.Go(func() {
			for i := id; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-turns:
				}
				n, err := o.Via, error(nil)
				if n == nil {
					n, err = c.anyNode()
				}
				if err == nil {
					c.Send(n, c.topics[i%len(c.topics)], id, o.Retry)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	c.t.Cleanup(stop)
	return stop
}

// pace gives turns at the rate until ctx ends.
func pace(ctx context.Context, rate int, turns chan<- struct{}) {
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for began, given := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); given < due; given++ {
			select {
			case turns <- struct{}{}:
			case <-ctx.Done():
				return
			default: // all are busy; what they have missed is not made up for
			}
		}
	}
}

// Send publishes one message to a node, and notes what its publisher, one of
// some number, was told. With retry it tries other nodes with the same
// idempotency key until one acknowledges it, for a while.
func (c *Cluster) Send(n *Node, topic event.Topic, publisher int, retry bool) client.Receipt {
	number, text := c.Ledger.Add(topic, publisher)
	m := event.Message{Topic: topic, Data: event.Data{Text: text}}
	if retry {
		m.IdempotencyKey = strconv.Itoa(number)
	}
	mayBeStored := false
	for end := time.Now().Add(patience); ; {
		var asked time.Time // hundreds who connect at once wait for each other
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { asked = time.Now() }})
		receipt, err := n.Client.Publish(ctx, m)
		if !asked.IsZero() {
			c.Ledger.Took(time.Since(asked))
		}
		if err == nil {
			c.Ledger.Acknowledge(number, receipt.ID)
			return receipt
		}
		mayBeStored = c.Ledger.Told(number, err) || mayBeStored
		if !retry || time.Now().After(end) {
			break
		}
		if other, err := c.anyNode(); err == nil {
			n = other
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !mayBeStored {
		c.Ledger.Refuse(number)
	}
	return client.Receipt{}
}

// finisher is who publishes the last messages.
const finisher = -1

// Finish waits until the listeners have everything, which it knows by a last
// message of each topic, and judges them and one that comes only now. The
// publishers must have stopped, and what was harmed must be whole.
func (c *Cluster) Finish(allowed Gaps) {
	c.t.Helper()
	for _, n := range c.Nodes() {
		c.Await("a node is ready", n.Ready)
	}
	var last event.Position
	for _, topic := range c.topics {
		n, err := c.anyNode()
		if err != nil {
			c.t.Fatal(err)
		}
		cursor, err := event.ParseCursor(c.Send(n, topic, finisher, true).ID)
		if err != nil {
			c.t.Fatalf("the last message of %s: %v", topic, err)
		}
		last = cursor.Position
	}
	c.Listen("a newcomer").Late = true
	for _, x := range c.listeners {
		from := fmt.Sprintf("%s, at first with %d events by %d connections, comes to the end", x.Name, x.Events(), x.Opens())
		c.Await(from, func() bool { return !last.After(x.Last()) })
	}
	for topic, loss := range allowed {
		for _, x := range c.listeners {
			if loss == MustLose {
				c.Await(fmt.Sprintf("%s is told of a gap of %s", x.Name, topic), func() bool { return x.told(topic) })
			}
		}
	}
	for _, x := range c.listeners {
		x.Stop()
	}
	verdict := Judge(c.Ledger, c.listeners, allowed)
	for i, fault := range verdict.Faults {
		if i == 20 {
			break
		}
		c.t.Error(fault)
	}
	if !verdict.Clean() {
		c.t.Errorf("in all: %d lost, %d doubled, %d out of order, %d false gaps, %d other faults",
			verdict.Lost, verdict.Doubled, verdict.Disordered, verdict.FalseGaps, verdict.Other)
	}
	c.t.Logf("publishes: %+v, the slowest took %v", c.Ledger.Tally(), c.Ledger.Slowest())
}
