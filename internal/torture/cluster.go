package torture

import (
	"cmp"
	"net/http"
	"os"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/redistest"
)

// Options say what a Cluster is made of. Zero fields mean the defaults.
type Options struct {
	Program string // the hub, as Build returns it
	Hubs    int    // 3, which is also the most
	Store   Store
	Redis   []string // arguments of redis-server
	Env     []string // more environment of the hubs, like "HUB_RETAIN_AGE=5s"
}

// Cluster is what is harmed. It ends with its test:
//
//	publishers, clients ─▶ Edge ─▶ Balancer ─▶ Hubs ─▶ their Redis proxies ─▶ Redis
type Cluster struct {
	Redis    *redistest.Server // nil if it is another kind of store
	Hubs     []*Hub
	Balancer *Balancer
	Edge     *redistest.Proxy // between everybody outside and the balancer

	Sentinels *redistest.Sentinels // nil, or what the store is
	Nodes     *redistest.Cluster   // the same

	t       testing.TB
	options Options
	url     string // of the store
	writers int    // hubs that have been given one
}

// Start starts a cluster and returns when all of it works.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Hubs == 0 {
		o.Hubs = 3
	}
	c := &Cluster{t: t, options: o}
	c.startStore()
	for range o.Hubs {
		c.Hubs = append(c.Hubs, c.startHub())
	}
	c.Balancer = startBalancer(t, c.Hubs)
	c.Edge = redistest.StartProxy(t, c.Balancer.Addr)
	if !comes(patience, func() bool { return c.Ready() && c.Balancer.Ready() }) {
		t.Fatal("the cluster never came to work")
	}
	return c
}

// startHub starts one more hub, of which the balancer does not know.
func (c *Cluster) startHub() *Hub {
	c.t.Helper()
	env := append([]string{"HUB_WRITER=" + c.writer()}, c.options.Env...)
	h := newHub(c.t, c.options.Program, c.url, env, c.options.Store == Alone)
	h.Start()
	return h
}

// writer returns what the next hub writes streams with: HUB_WRITER, or else one or
// the other in turn, so that clients come from each to each.
func (c *Cluster) writer() string {
	c.writers++
	turns := []string{"portable", "auto"}
	return cmp.Or(os.Getenv("HUB_WRITER"), turns[c.writers%len(turns)])
}

// Ready reports whether all hubs are ready.
func (c *Cluster) Ready() bool {
	for _, h := range c.Hubs {
		if !h.Ready() {
			return false
		}
	}
	return true
}

// Client returns a client that comes in by the edge, each stream on a
// connection of its own. It ends with the test.
func (c *Cluster) Client(o client.Options) *client.Client {
	c.t.Helper()
	return c.clientOf(c.Edge.Addr, o)
}

// ClientAt is Client for one hub, without a balancer or a proxy before it.
func (c *Cluster) ClientAt(h *Hub) *client.Client {
	c.t.Helper()
	return c.clientOf(h.Addr, client.Options{})
}

func (c *Cluster) clientOf(addr string, o client.Options) *client.Client {
	c.t.Helper()
	if o.Transport == nil {
		transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
		c.t.Cleanup(transport.CloseIdleConnections)
		o.Transport = transport
	}
	cl, err := client.New("http://"+addr, o)
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

// comes waits until the condition holds, and reports whether it does in time.
func comes(limit time.Duration, condition func() bool) bool {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(limit); !condition(); {
		<-look.C
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
