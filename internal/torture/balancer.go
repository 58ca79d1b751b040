package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Balancer is HAProxy with the configuration in deploy, whose checks of the
// hubs' health take 2 seconds each: what it finds out about a hub, it finds
// out in 4.
type Balancer struct {
	*program
	Addr string
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
		cmd := exec.Command("haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
		cmd.Env = env
		return cmd
	})
	b.launch()
	return b
}

// Ready reports whether a hub answers through the balancer.
func (b *Balancer) Ready() bool { return answers("http://" + b.Addr + "/readyz") }
