package redistest_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

// TestSentinels has the primary change by order, because it died, and because
// the network came apart.
func TestSentinels(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	first := s.Primary(s.Watch[0])
	if first != s.Servers[0] {
		t.Fatal("the first server is not the primary")
	}
	first.Must("SET", "a", "1")
	await(t, "both replicas have it", func() bool {
		return s.Servers[1].Must("GET", "a") == "1" && s.Servers[2].Must("GET", "a") == "1"
	})
	second := s.Failover()
	if got := second.Must("GET", "a"); got != "1" {
		t.Errorf("a is %q on the second primary, want 1", got)
	}
	second.Kill()
	third := s.AwaitPrimary(second, s.Watch...)
	second.Restart()
	awaitReplica(t, second)

	minority := redistest.Side{Members: []*redistest.Member{third, s.Watch[0]}}
	majority := redistest.Side{Members: append(without(s.Servers, third), s.Watch[1:]...)}
	redistest.Part(minority, majority)
	fourth := s.AwaitPrimary(third, s.Watch[1:]...)
	if s.Primary(s.Watch[0]) != third {
		t.Error("the Sentinel on the lesser side follows the others")
	}
	third.Must("SET", "a", "lost")
	fourth.Must("SET", "a", "kept")
	redistest.Heal(append(majority.Members, minority.Members...)...)
	s.AwaitPrimary(third, s.Watch...)
	awaitReplica(t, third)
	await(t, "it has the data of the primary", func() bool {
		text, _ := third.Do("GET", "a")
		return text == "kept"
	})
}

func without(members []*redistest.Member, one *redistest.Member) (rest []*redistest.Member) {
	for _, m := range members {
		if m != one {
			rest = append(rest, m)
		}
	}
	return rest
}

func awaitReplica(t *testing.T, m *redistest.Member) {
	t.Helper()
	await(t, "it is a replica", func() bool {
		role, err := m.Do("ROLE") // a Sentinel that demotes it cuts its connections too
		return err == nil && strings.HasPrefix(role, "slave")
	})
}

// TestCluster has the slot's primary change by order, because it died, and
// because the network came apart; then the slot moves to another one.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	first := c.Primary(c.Nodes[4])
	if first != c.Nodes[0] {
		t.Fatal("the first node is not the primary")
	}
	first.Must("SET", "{0}a", "1")
	second := c.Failover()
	if got := second.Must("GET", "{0}a"); got != "1" {
		t.Errorf("a is %q on the second primary, want 1", got)
	}
	second.Kill()
	third := c.AwaitPrimary(second, without(c.Nodes, second)...)
	second.Restart()
	awaitReplica(t, second)

	majority := redistest.Side{Members: without(c.Nodes, third)}
	redistest.Part(redistest.Side{Members: []*redistest.Member{third}}, majority)
	third.Must("SET", "{0}a", "lost")
	fourth := c.AwaitPrimary(third, majority.Members...)
	if c.Primary(third) != third {
		t.Error("the node that is cut off follows the others")
	}
	fourth.Must("SET", "{0}a", "kept")
	fourth.Must("SET", "{0}b", "1")
	redistest.Heal(c.Nodes...)
	c.AwaitPrimary(third, c.Nodes...)
	awaitReplica(t, third)
	await(t, "it has the data of the primary", func() bool {
		_, err := third.Do("GET", "{0}a")
		return err != nil && strings.HasPrefix(err.Error(), "MOVED")
	})

	m := c.Migrate(c.Nodes[1])
	if !m.Move(1) {
		t.Error("there is no key to be moved")
	}
	m.End()
	if got := c.Nodes[1].Must("GET", "{0}a") + c.Nodes[1].Must("GET", "{0}b"); got != "kept1" {
		t.Errorf("%q came with the slot", got)
	}
}

// TestCalm has a primary not answer for twice as long as it is usually given.
func TestCalm(t *testing.T) {
	t.Parallel()
	t.Run("by Sentinels", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartSentinels(t)
		s.Calm()
		s.Servers[0].Stop()
		of := func(field string) string {
			_, rest, _ := strings.Cut(s.Watch[0].Must("SENTINEL", "MASTER", "tape"), "\n"+field+"\n")
			value, _, _ := strings.Cut(rest, "\n")
			return value
		}
		await(t, "it has been away for long", func() bool {
			ms, _ := strconv.Atoi(of("last-ok-ping-reply"))
			return ms > 2000
		})
		if flags := of("flags"); flags != "master" {
			t.Errorf("a Sentinel calls it %s", flags)
		}
	})
	t.Run("in a Cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t)
		c.Calm()
		c.Nodes[0].Stop()
		flags := ""
		await(t, "it has been away for long", func() bool {
			for line := range strings.Lines(c.Nodes[1].Must("CLUSTER", "NODES")) {
				if fields := strings.Fields(line); strings.HasPrefix(fields[1], c.Nodes[0].Proxy.Addr+"@") {
					flags = fields[2]
					asked, _ := strconv.ParseInt(fields[4], 10, 64)
					return asked > 0 && time.Since(time.UnixMilli(asked)) > 2*time.Second
				}
			}
			return false
		})
		if flags != "master" {
			t.Errorf("a node calls it %s", flags)
		}
	})
}
