package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// masterName is what the Sentinels call the primary.
const masterName = "tape"

// Sentinels are three servers, one of which is the primary and the others its
// replicas, and three Sentinels that watch over them. They take it for
// down after a second. All end with the test.
type Sentinels struct {
	URL     string // redis+sentinel://…, of all Sentinels
	Servers []*Member
	Watch   []*Member // the Sentinels

	t        testing.TB
	password string // of all
}

// StartSentinels starts servers with these arguments, as Start takes them, and
// Sentinels, and returns when all know each other. If the arguments have a
// password, they have to have it as the masterauth too, and it is the Sentinels'
// own as well.
func StartSentinels(t testing.TB, args ...string) *Sentinels {
	t.Helper()
	s := &Sentinels{t: t, password: passwordIn(args)}
	for i := range 3 {
		m := newMember(t, i+1)
		own := slices.Concat(m.args(), []string{"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", m.port(), "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"})
		if i > 0 {
			own = append(own, "--replicaof", "127.0.0.1 "+s.Servers[0].port())
		}
		m.Server = Start(t, append(own, args...)...)
		m.Proxy.Target(m.Addr)
		s.Servers = append(s.Servers, m)
	}
	for i := range 3 {
		s.Watch = append(s.Watch, s.startSentinel(i+11))
	}
	s.URL = s.URLOf(s.Watch...)
	awaitThat(t, "the Sentinels know everybody", func() bool {
		return !slices.ContainsFunc(s.Watch, func(m *Member) bool {
			fields := s.master(m)
			return fields["num-slaves"] != "2" || fields["num-other-sentinels"] != "2" || fields["flags"] != "master"
		})
	})
	awaitThat(t, "the replicas have the data", func() bool {
		return strings.Count(s.Servers[0].Must("INFO", "replication"), "state=online") == 2
	})
	s.wait(usual)
	return s
}

// Calm has the Sentinels wait so long for the primary that none fails over by
// itself, however busy the machine is.
func (s *Sentinels) Calm() { s.wait(calm) }

// wait has the Sentinels wait for the primary for so many milliseconds.
func (s *Sentinels) wait(ms string) {
	s.t.Helper()
	for _, m := range s.Watch {
		m.Must("SENTINEL", "SET", masterName, "down-after-milliseconds", ms)
	}
}

// startSentinel starts a Sentinel, with what it knows and learns in a file of
// its own, and has it look around more often than usual.
func (s *Sentinels) startSentinel(number int) *Member {
	s.t.Helper()
	m := newMember(s.t, number)
	config := filepath.Join(s.t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel announce-ip 127.0.0.1\nsentinel announce-port %s\n", m.port())
	text += fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 2\n", masterName, s.Servers[0].port())
	for _, setting := range [...]string{"down-after-milliseconds %s " + atFirst, "failover-timeout %s 3000", "parallel-syncs %s 2"} {
		text += fmt.Sprintf("sentinel "+setting+"\n", masterName)
	}
	if s.password != "" {
		text += fmt.Sprintf("sentinel auth-pass %s %s\nrequirepass %s\nsentinel sentinel-pass %s\n", masterName, s.password, s.password, s.password)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	m.Server = start(s.t, s.password, nil, func(*Server) []string { return append([]string{config, "--sentinel"}, m.args()...) })
	m.Proxy.Target(m.Addr)
	m.hurry()
	return m
}

// RestartSentinel starts a Sentinel again, with what it knew; one that still runs is
// killed first.
func (s *Sentinels) RestartSentinel(m *Member) {
	s.t.Helper()
	m.Restart()
	m.hurry()
}

// hurry has a Sentinel look around more often than usual.
func (m *Member) hurry() {
	m.t.Helper()
	m.Must("SENTINEL", "DEBUG", "INFO-PERIOD", "500", "PUBLISH-PERIOD", "200", "ASK-PERIOD", "200", "ELECTION-TIMEOUT", "2000", "TILT-PERIOD", "1000")
}

// URLOf returns a URL that names these Sentinels only.
func (s *Sentinels) URLOf(watch ...*Member) string {
	addrs := make([]string, len(watch))
	for i, m := range watch {
		addrs[i] = m.Proxy.Addr
	}
	url := strings.Join(addrs, ",") + "/" + masterName
	if s.password != "" {
		return "redis+sentinel://default:" + s.password + "@" + url + "?sentinel_password=" + s.password
	}
	return "redis+sentinel://" + url
}

// master returns what a Sentinel knows of the primary; nothing if it is away.
func (s *Sentinels) master(m *Member) map[string]string {
	text, err := m.Do("SENTINEL", "MASTER", masterName)
	if err != nil {
		return nil
	}
	words := strings.Split(text, "\n")
	fields := map[string]string{}
	for i := 1; i < len(words); i += 2 {
		fields[words[i-1]] = words[i]
	}
	return fields
}

// Primary returns the server that one of the Sentinels takes for the primary.
func (s *Sentinels) Primary(of *Member) *Member {
	port := s.master(of)["port"]
	for _, m := range s.Servers {
		if m.port() == port {
			return m
		}
	}
	return nil
}

// AwaitPrimary waits until these Sentinels agree that another server than the
// former one is the primary, and it takes writes, and returns it.
func (s *Sentinels) AwaitPrimary(former *Member, watch ...*Member) *Member {
	s.t.Helper()
	var next *Member
	awaitThat(s.t, "the Sentinels have another primary", func() bool {
		next = s.Primary(watch[0])
		if next == nil || next == former {
			return false
		}
		for _, m := range watch {
			// Not while one of them is about to elect yet another.
			if s.Primary(m) != next || s.master(m)["flags"] != "master" {
				return false
			}
		}
		role, err := next.Do("ROLE")
		return err == nil && strings.HasPrefix(role, "master")
	})
	return next
}

// Failover has the Sentinels make another server the primary while all are
// well, and returns it.
func (s *Sentinels) Failover() *Member {
	s.t.Helper()
	former := s.Primary(s.Watch[0])
	awaitThat(s.t, "a Sentinel takes the order", func() bool {
		_, err := s.Watch[0].Do("SENTINEL", "FAILOVER", masterName)
		return err == nil
	})
	return s.AwaitPrimary(former, s.Watch...)
}
