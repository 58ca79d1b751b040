package torture

import "tickertape/internal/redistest"

// Store is what kind of Redis a cluster has.
type Store uint8

const (
	Alone       Store = iota // one server, by a proxy for each hub
	BySentinels              // a primary with replicas, which Sentinels name
	InCluster                // a Redis Cluster
)

// startStore starts the cluster's Redis.
func (c *Cluster) startStore() {
	c.t.Helper()
	switch args := c.options.Redis; c.options.Store {
	case BySentinels:
		c.Sentinels = redistest.StartSentinels(c.t, args...)
		c.url = c.Sentinels.URL
	case InCluster:
		c.Nodes = redistest.StartCluster(c.t, args...)
		c.url = c.Nodes.URL
	default:
		c.Redis = redistest.Start(c.t, args...)
		c.url = c.Redis.URL
	}
}
