package redistest

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Member is one of several servers that know each other. The others and the
// clients reach it by its proxy only, under whose address it makes itself
// known, while Do and the like go straight to it. What it connects to by itself
// sees it come from a host of its own.
type Member struct {
	*Server
	Proxy *Proxy

	host string // where its own connections come from
	bus  *Proxy // of a Cluster's node: to its other port
}

// newMember returns the number'th member, which is yet to be started, and what
// makes all kinds of servers one.
func newMember(t testing.TB, number int) *Member {
	t.Helper()
	return &Member{Proxy: StartProxy(t, ""), host: "127.0.1." + strconv.Itoa(number)}
}

// args are those of a server of any kind. By a proxy or not, they come from
// this machine.
func (m *Member) args() []string {
	return []string{"--bind-source-addr", m.host, "--protected-mode", "no"}
}

// port is that of the proxy.
func (m *Member) port() string {
	_, port, _ := strings.Cut(m.Proxy.Addr, ":")
	return port
}

// Side is one of the two sides of a network that comes apart.
type Side struct {
	Members []*Member
	Hosts   []string // where clients connect from
}

func (s Side) hosts() []string {
	hosts := s.Hosts
	for _, m := range s.Members {
		hosts = append(hosts, m.host)
	}
	return hosts
}

// hold keeps back what comes to the members from these hosts.
func (s Side) hold(hosts ...string) {
	for _, m := range s.Members {
		m.Proxy.Hold(hosts...)
		if m.bus != nil {
			m.bus.Hold(hosts...)
		}
	}
}

// Part keeps two sides apart until Heal: whatever one sends to the other waits.
// Who stands on neither side reaches both.
func Part(a, b Side) {
	a.hold(b.hosts()...)
	b.hold(a.hosts()...)
}

// HoldReplicas keeps back what these replicas of the member and it send to each
// other, until Heal. Whether it lives they still hear.
func (m *Member) HoldReplicas(replicas ...*Member) { m.Proxy.Hold(Side{Members: replicas}.hosts()...) }

// Lose kills the member, and loses what is on its way to others.
func (m *Member) Lose() {
	m.t.Helper()
	m.Kill()
	m.Proxy.Cut()
	Heal(m)
}

// Heal lets everybody reach these members again; what waited goes on.
func Heal(members ...*Member) { Side{Members: members}.hold() }

// DialFrom returns a dialer for clients that connect from this host of
// 127.0.0.0/8.
func DialFrom(host string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
}

// electionTime bounds every wait for servers to agree.
const electionTime = 60 * time.Second

// How long servers wait for each other, in milliseconds.
const (
	atFirst = "5000" // until all are up, which may keep a busy machine longer than usual
	usual   = "1000"
	calm    = "3600000" // longer than any test
)

// awaitThat waits until the condition holds, and fails the test if it never
// does.
func awaitThat(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(electionTime)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", electionTime, what)
		}
		time.Sleep(lookAgain)
	}
}
