package referee

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
	"tickertape/internal/stream"
)

// Options are a Cluster's settings. Zero fields mean the defaults.
type Options struct {
	Nodes int      // 2
	Redis []string // arguments of redis-server
	Bus   redisbus.Options
	Node  nodetest.Options
	Size  int // of each message in bytes, at least
	Log   io.Writer
}

// Cluster is a Redis, nodes that share it, each by a proxy of its own, and
// clients that reach any living node, as by a balancer. It ends with its test.
// The methods that start or end nodes are for the test's own goroutine.
type Cluster struct {
	Redis  *redistest.Server
	Ledger *Ledger

	t         testing.TB
	options   Options
	log       *slog.Logger
	client    *client.Client // for streams: another node each time
	start     string         // a cursor behind which everything is
	topics    []event.Topic
	listeners []*Listener

	mu    sync.Mutex
	nodes []*Node
}

// Node is one node of a cluster.
type Node struct {
	*nodetest.Node
	Bus   *redisbus.Bus
	Proxy *redistest.Proxy // between the node and Redis

	Client    *client.Client // for publishing to this node
	transport *http.Transport
}

// topicStart is where a cluster publishes what marks its beginning.
const topicStart = event.Topic("referee.start")

// Start starts a cluster whose listeners and publishers use the topics. It
// returns when all nodes work.
func Start(t testing.TB, o Options, topics ...event.Topic) *Cluster {
	t.Helper()
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.Node.Stream.Retry == 0 {
		o.Node.Stream = stream.Options{Retry: 100 * time.Millisecond}
	}
	if o.Bus.Retention.Messages == 0 {
		// What the test publishes must not be trimmed before it is over.
		o.Bus.Retention = event.Retention{Messages: 10_000_000, Bytes: 1 << 30, Age: 24 * time.Hour}
	}
	if o.Log == nil {
		o.Log = t.Output()
	}
	c := &Cluster{Redis: redistest.Start(t, o.Redis...), Ledger: NewLedger(o.Size), t: t, options: o, topics: topics,
		log: slog.New(slog.NewTextHandler(o.Log, nil))}
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true}
	c.client = c.newClient("http://any.node", transport)
	for range o.Nodes {
		c.StartNode()
	}
	for _, n := range c.Nodes() {
		c.Await("a node is ready", n.Ready)
	}
	receipt, err := c.Nodes()[0].Client.Publish(t.Context(), event.Message{Topic: topicStart})
	if err != nil {
		t.Fatalf("the first publish: %v", err)
	}
	c.start = receipt.ID
	return c
}

func (c *Cluster) newClient(base string, transport *http.Transport) *client.Client {
	c.t.Helper()
	cl, err := client.New(base, client.Options{Transport: transport})
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

// StartNode starts one more node. It does not wait until it works.
func (c *Cluster) StartNode() *Node {
	c.t.Helper()
	n := &Node{Proxy: redistest.StartProxy(c.t, c.Redis.Addr)}
	o := c.options.Bus
	o.URL = "redis://" + n.Proxy.Addr + "/0"
	if u, err := url.Parse(c.Redis.URL); err == nil {
		u.Host = n.Proxy.Addr
		o.URL = u.String()
	}
	o.Log = c.log.With(slog.String("node", n.Proxy.Addr))
	var err error
	if n.Bus, err = redisbus.Open(o); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(n.Bus.Close)
	node := c.options.Node
	node.Over = n.Bus
	n.Node = nodetest.Start(c.t, node)
	n.transport = &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}
	n.Client = c.newClient(n.URL, n.transport)
	c.t.Cleanup(n.transport.CloseIdleConnections)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, n)
	return n
}

// Kill ends a node as a crash does: all its connections break at once, to
// clients and to Redis.
func (c *Cluster) Kill(n *Node) {
	c.mu.Lock()
	c.nodes = slices.DeleteFunc(c.nodes, func(x *Node) bool { return x == n })
	c.mu.Unlock()
	n.Proxy.Refuse(true)
	n.Proxy.Cut()
	n.Stop()
	n.Bus.Close()
	n.transport.CloseIdleConnections()
}

// Nodes returns the nodes that live, oldest first.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

var errNoNode = errors.New("no node lives")

func (c *Cluster) anyNode() (*Node, error) {
	nodes := c.Nodes()
	if len(nodes) == 0 {
		return nil, errNoNode
	}
	return nodes[rand.N(len(nodes))], nil
}

// dial connects to any node, whatever the address.
func (c *Cluster) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	n, err := c.anyNode()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, n.Addr)
}

// Ready reports whether the node's /readyz says so.
func (n *Node) Ready() bool {
	status, _ := n.Readyz()
	return status == http.StatusOK
}

// Readyz returns what the node's /readyz answers.
func (n *Node) Readyz() (status int, body string) {
	response, err := (&http.Client{Transport: n.transport}).Get(n.URL + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// patience is how long something may take that must come.
const patience = 60 * time.Second

// Await waits until the condition holds.
func (c *Cluster) Await(what string, condition func() bool) {
	c.t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !condition(); {
		<-look.C
		if time.Now().After(end) {
			c.t.Fatalf("never in %v: %s", patience, what)
		}
	}
}
