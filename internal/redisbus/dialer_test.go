package redisbus_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"tickertape/internal/hub"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestDial reaches a Redis under a name that only Dial knows: all connections
// are made by it.
func TestDial(t *testing.T) {
	t.Parallel()
	secure, _ := startTLS(t)
	for url, addr := range map[string]string{
		"redis://nowhere.invalid:1/0":                   redistest.Start(t).Addr,
		"rediss://nowhere.invalid:1/0?skip_verify=true": secure,
	} {
		t.Run(url[:strings.Index(url, ":")], func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := map[string]int{}
			n := startNode(t, redisbus.Options{URL: url, Dial: func(ctx context.Context, network, name string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				asked[network+" "+name]++
				return new(net.Dialer).DialContext(ctx, network, addr)
			}})
			live := n.open(hub.Start{}, "a")
			first := tell(t, n.bus, "a", "1", "2")[0]
			live.expect("a 1, a 2")
			n.resume(first, "a").expect("a 2")
			if _, err := n.bus.Topics(t.Context(), nil, "", 10); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if asked["tcp nowhere.invalid:1"] < 3 || len(asked) != 1 {
				t.Errorf("asked for %v; want a connection to write, one to hear, and more to read, to nowhere.invalid:1", asked)
			}
		})
	}
}
