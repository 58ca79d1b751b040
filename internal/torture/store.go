package torture

import (
	"testing"

	"tickertape/internal/redistest"
)

// Store is what kind of Redis a cluster has.
type Store uint8

const (
	Alone       Store = iota // one server, by a proxy for each hub
	BySentinels              // a primary with replicas, which Sentinels name
	InCluster                // a Redis Cluster
)

// startStore starts the cluster's Redis and returns its URL.
func (c *Cluster) startStore(t testing.TB, o Options) (url string) {
	t.Helper()
	switch o.Store {
	case BySentinels:
		c.Sentinels = redistest.StartSentinels(t, o.Redis...)
		return c.Sentinels.URL
	case InCluster:
		c.Nodes = redistest.StartCluster(t, o.Redis...)
		return c.Nodes.URL
	default:
		c.Redis = redistest.Start(t, o.Redis...)
		return c.Redis.URL
	}
}
