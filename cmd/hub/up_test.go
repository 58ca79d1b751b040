//go:build unix

package main_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// freeAddr returns an address that nobody listens on, below those that the
// system hands out by itself.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.N(20_000)))
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }()
		return listener.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// cluster is what scripts/up starts: elsewhere than where make up does, so
// that both can run.
type cluster struct {
	t   *testing.T
	url string
	dir string
	env []string
}

// newCluster starts nothing yet. Its hubs are this test's program.
func newCluster(t *testing.T) *cluster {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bind := freeAddr(t)
	c := &cluster{t: t, url: "http://" + bind, dir: t.TempDir()}
	c.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HUB") || strings.HasPrefix(v, "HAPROXY_") })
	c.env = append(c.env, "TEST_AS_HUB=1", "GORACE=atexit_sleep_ms=0", "UP_HUB="+program, "UP_DIR="+c.dir,
		"HAPROXY_BIND="+bind, "HUB1="+freeAddr(t), "HUB2="+freeAddr(t), "HUB3="+freeAddr(t),
		"HUB1_ADMIN="+freeAddr(t), "HUB2_ADMIN="+freeAddr(t), "HUB3_ADMIN="+freeAddr(t), "REDIS_ADDR="+freeAddr(t))
	t.Cleanup(func() { _, _ = c.script("down") })
	return c
}

// script runs scripts/up or scripts/down and returns what it printed. Those
// that go on in the background write elsewhere, or this would not return.
func (c *cluster) script(name string) (string, error) {
	c.t.Helper()
	command := exec.Command(filepath.Join("scripts", name))
	command.Dir, command.Env = "../..", c.env
	out, err := command.CombinedOutput()
	return string(out), err
}

// expect runs a script that must print some text, and succeed or not.
func (c *cluster) expect(name string, succeeds bool, text string) {
	c.t.Helper()
	if out, err := c.script(name); (err == nil) != succeeds || !strings.Contains(out, text) {
		c.t.Errorf("scripts/%s: %v, and printed %q instead of %q", name, err, out, text)
	}
}

// expectNothing checks that nobody listens on any of the addresses.
func (c *cluster) expectNothing() {
	c.t.Helper()
	for _, v := range c.env {
		name, addr, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(addr, "127.0.0.1:") {
			continue
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			c.t.Errorf("%s still listens on %s", name, addr)
		}
	}
	if left, err := filepath.Glob(c.dir + "/*.pid"); len(left) > 0 || err != nil {
		c.t.Errorf("left: %v, %v", left, err)
	}
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.expect("down", true, "nothing is up")
	c.expect("up", true, c.url+" is up")
	answer, err := http.Get(c.url + "/readyz")
	if status, body := answered(answer, err); status != http.StatusOK {
		t.Errorf("/readyz through HAProxy: %d %s", status, body)
	}
	for _, v := range c.env {
		if name, addr, _ := strings.Cut(v, "="); strings.HasSuffix(name, "_ADMIN") {
			answer, err := http.Get("http://" + addr + "/metrics")
			if status, body := answered(answer, err); status != http.StatusOK || !strings.Contains(body, "tickertape_") {
				t.Errorf("%s: %d %.100s", name, status, body)
			}
		}
	}
	c.expect("up", true, "already up: "+c.url)
	c.expect("down", true, "all is down")
	c.expectNothing()
	for _, hub := range []string{"hub1", "hub2", "hub3"} {
		if log, err := os.ReadFile(filepath.Join(c.dir, hub+".log")); err != nil || !strings.Contains(string(log), inOrder) {
			t.Errorf("%s did not end in order: %v\n%s", hub, err, log)
		}
	}
}

func TestUpSaysWhichPortIsTaken(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	c.env = append(c.env, "HUB3="+taken.Addr().String())
	c.expect("up", false, "hub3: another program listens on "+taken.Addr().String())
	c.env = c.env[:len(c.env)-1]
	c.expectNothing()
}

func TestUpSaysWhyAHubEnded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.env = append(c.env, "HUB_LOG_LEVEL=nonsense")
	c.expect("up", false, "nonsense")
	c.expectNothing()
}

// The process ids that a crash left may belong to others by now.
func TestDownLeavesStrangersAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	note := fmt.Sprintf("%d\nbin/hub --addr 127.0.0.1:18081\n", stranger.Process.Pid)
	if err := os.WriteFile(filepath.Join(c.dir, "hub1.pid"), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	c.expect("down", true, "nothing is up")
	if err := stranger.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := stranger.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the stranger ended by itself: %v", err)
	}
}
