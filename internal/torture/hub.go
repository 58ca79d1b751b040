package torture

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/proctest"
	"tickertape/internal/redistest"
)

// Hub is a hub in a process of its own. Its methods are for the test's own
// goroutine, but Ready.
type Hub struct {
	*program
	Addr  string           // where it serves, in all its lives
	Admin string           // where its metrics are
	Redis *redistest.Proxy // between it and Redis; nil if that is not one server
}

// newHub returns a hub that does not run yet, with a proxy between it and its
// Redis or without one. Start starts it.
func newHub(t testing.TB, binary, redis string, env []string, proxy bool) *Hub {
	t.Helper()
	h := &Hub{Addr: freeAddr(t), Admin: freeAddr(t)}
	if proxy {
		u, err := url.Parse(redis)
		if err != nil {
			t.Fatal(err)
		}
		h.Redis = redistest.StartProxy(t, u.Host)
		u.Host = h.Redis.Addr
		redis = u.String()
	}
	all := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HUB_") })
	all = append(all, "HUB_ADDR="+h.Addr, "HUB_ADMIN_ADDR="+h.Admin, "HUB_REDIS="+redis)
	all = append(all, env...)
	h.program = newProgram(t, "hub "+h.Addr, func() *exec.Cmd {
		cmd := exec.Command(binary)
		cmd.Env = all
		return cmd
	})
	return h
}

// freeAddr returns an address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 20 {
		if addr, err := proctest.FreeAddr(); err == nil {
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Start starts the hub, which must be down, where it was before. It does not
// wait until it is ready.
func (h *Hub) Start() {
	h.t.Helper()
	if !h.over() {
		h.t.Fatalf("%s runs already", h.name)
	}
	h.launch()
}

// Over reports whether the hub has ended.
func (h *Hub) Over() bool { return h.over() }

// Ready reports whether the hub's /readyz says so.
func (h *Hub) Ready() bool { return answers("http://" + h.Addr + "/readyz") }

// answers reports whether an address answers 200, on a connection of its own.
func answers(url string) bool {
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: time.Second}).Get(url)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// counted adds up a metric of all hubs, with the label if one is given, like
// `outcome="ok"`. A hub that does not answer counts as none.
func (r *Run) counted(name, label string) (sum float64) {
	for _, h := range r.Hubs {
		sum += h.count(name, label)
	}
	return sum
}

// reads returns how often the hub has read history for its clients, or tried.
func (h *Hub) reads() float64 {
	return h.count(catchUpReads, `outcome="ok"`) + h.count(catchUpReads, `outcome="failed"`)
}

const catchUpReads = "tickertape_catch_up_reads_total"

func (h *Hub) count(name, label string) (sum float64) {
	if label != "" {
		name += "{" + label + "}"
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: time.Second}).Get("http://" + h.Admin + "/metrics")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		metric, value, _ := strings.Cut(lines.Text(), " ")
		if metric == name {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				sum += n
			}
		}
	}
	return sum
}
