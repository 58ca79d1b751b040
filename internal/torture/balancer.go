package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"tickertape/internal/proctest"
)

// Balancer is HAProxy with the configuration in deploy, whose checks of the
// hubs' health take 2 seconds each: what it finds out about a hub, it finds
// out in 4.
type Balancer struct {
	*program
	Addr string

	handover []string            // what tells the next process to follow the present one
	former   []*proctest.Process // those that others have followed
}

// startBalancer starts HAProxy in front of up to three hubs.
func startBalancer(t testing.TB, hubs []*Hub) *Balancer {
	t.Helper()
	b := &Balancer{Addr: freeAddr(t)}
	dir := filepath.Join(root(t), "deploy", "haproxy")
	env := append(os.Environ(), "HAPROXY_BIND="+b.Addr, "HAPROXY_ERRORS="+dir)
	for i := range 3 { // with fewer hubs, some are there twice
		env = append(env, fmt.Sprintf("HUB%d=%s", i+1, hubs[i%len(hubs)].Addr))
	}
	b.program = newProgram(t, "haproxy", func() *exec.Cmd {
		cmd := exec.Command("haproxy", append([]string{"-db", "-f", filepath.Join(dir, "haproxy.cfg")}, b.handover...)...)
		cmd.Env = env
		return cmd
	})
	t.Cleanup(func() {
		for _, p := range b.former {
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
	b.launch()
	return b
}

// Ready reports whether a hub answers through the balancer.
func (b *Balancer) Ready() bool { return answers("http://" + b.Addr + "/readyz") }

// Start starts the balancer, which must be down, where it was before.
func (b *Balancer) Start() {
	b.t.Helper()
	if !b.over() {
		b.t.Fatal("the balancer runs already")
	}
	b.launch()
}

// Handover is how a balancer that is reloaded treats its connections.
type Handover string

// Softly lets them go on in the old process until they end; Hard ends them.
const (
	Softly Handover = "-sf"
	Hard   Handover = "-st"
)

// Reload has a new process take over the address, as a reload of the
// configuration does.
func (b *Balancer) Reload(h Handover) {
	b.t.Helper()
	if b.over() {
		b.t.Fatal("reload the balancer: it is down")
	}
	b.former = append(b.former, b.process)
	b.handover = []string{string(h), strconv.Itoa(b.process.ID())}
	b.launch()
	b.handover = nil
}
