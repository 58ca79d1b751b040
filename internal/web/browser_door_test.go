package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"tickertape/internal/nodetest"
)

// door stands between a page and a node; it may answer in its place.
type door struct {
	*httptest.Server
	refuse atomic.Int64 // the status of all answers to /events; 0: the node's own

	mu    sync.Mutex
	asked []*http.Request // for /events
}

func (s *scene) door(node *nodetest.Node) *door {
	target, _ := url.Parse(node.URL) // cannot fail
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			d.mu.Lock()
			d.asked = append(d.asked, r)
			d.mu.Unlock()
			if status := d.refuse.Load(); status != 0 {
				w.WriteHeader(int(status))
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Cleanup(func() { d.CloseClientConnections(); d.Close() })
	return d
}

func (d *door) requests() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}
