package redistest_test

import (
	"strings"
	"testing"

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
	await(t, "it has the data of the primary", func() bool { return third.Must("GET", "a") == "kept" })
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
	await(t, "it is a replica", func() bool { return strings.HasPrefix(m.Must("ROLE"), "slave") })
}
