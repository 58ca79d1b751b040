//go:build unix

package main_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var metricsAt = regexp.MustCompile(`metrics are on (http://[0-9.:]+)/metrics`)

// adminURL returns where the hub's metrics are.
func (p *process) adminURL() string {
	p.t.Helper()
	m := metricsAt.FindStringSubmatch(p.log.String())
	if m == nil {
		p.t.Fatal("the log does not say where metrics are")
	}
	return m[1]
}

// What only operators may see is on the admin address, until the node has
// ended otherwise, and nowhere else.
func TestAdminAddress(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "shared", "HUB_DRAIN_WAIT=30s", "HUB_DRAIN_WINDOW=0s")
	admin := p.adminURL()
	shown := map[string]string{"/metrics": `tickertape_build_info{goversion="go`, "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/symbol": "num_symbols"}
	for path, want := range shown {
		if status, body := answered(p.client.Get(admin + path)); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
		if status, _ := p.get(path); status != http.StatusNotFound {
			t.Errorf("%s on the public address: %d", path, status)
		}
	}
	for _, path := range []string{"/", "/publish", "/topics", "/debug/pprof/cmdline"} {
		if status, _ := answered(p.client.Get(admin + path)); status != http.StatusNotFound {
			t.Errorf("%s on the admin address: %d", path, status)
		}
	}
	p.signal(syscall.SIGTERM)
	p.until("it drains", func() bool { status, _ := p.get("/readyz"); return status == http.StatusServiceUnavailable })
	if status, body := answered(p.client.Get(admin + "/metrics")); status != http.StatusOK || !strings.Contains(body, "\ntickertape_bus_ready 1\n") {
		t.Errorf("metrics during the drain: %d", status)
	}
	p.signal(os.Interrupt)
	if status := p.exit(); status != 1 {
		t.Errorf("exit status %d after the second signal", status)
	}
}

// TestAdminNames: a page whose name was made to point to this machine does not see what
// is for operators.
func TestAdminNames(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.adminURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"localhost:" + port: 200, "127.0.0.1": 200, "[::1]:" + port: 200, "[::1]": 200,
		"evil.example:" + port: 421, "evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:1": 421, "192.0.2.1": 421} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.adminURL()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		if status, body := answered(p.client.Do(request)); status != want || (want != http.StatusOK && strings.Contains(body, "tickertape_")) {
			t.Errorf("%s: %d %.100s", host, status, body)
		}
	}
}

func TestAdminAddressTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "--addr=127.0.0.1:0", "--admin-addr="+taken.Addr().String())
	command.Env = append(os.Environ(), "TEST_AS_HUB=1", "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--admin-addr") || !strings.Contains(string(out), taken.Addr().String()) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestNoAdminAddress(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory", "HUB_ADMIN_ADDR=none")
	if strings.Contains(p.log.String(), "metrics") {
		t.Error("the log speaks of metrics")
	}
	p.signal(syscall.SIGTERM)
	if status := p.exit(); status != 0 || !strings.Contains(p.log.String(), inOrder) {
		t.Errorf("exit status %d", status)
	}
}
