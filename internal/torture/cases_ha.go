package torture

import (
	"slices"
	"strings"

	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// haCases move the primary, by order or because something is harmed. What a
// primary acknowledged that no replica had may be lost in all of them, but
// where the Cluster itself hands the slot on.
func haCases() []Case {
	return []Case{
		{Name: "sentinel-failover", Fault: "Sentinels make a replica the primary, by order", Store: BySentinels, Loss: referee.MayLose, Do: func(r *Run) {
			r.Sentinels.Failover()
		}},
		{Name: "sentinel-primary-killed", Fault: "the primary killed, another one by Sentinels", Store: BySentinels, Loss: referee.MayLose, Do: func(r *Run) {
			former := r.primary()
			former.Kill()
			r.Sentinels.AwaitPrimary(former, r.Sentinels.Watch...)
			former.Restart()
			r.awaitReplica(former)
		}},
		{Name: "sentinel-primary-lost", Fault: "the primary killed, its last events on no replica", Store: BySentinels, Loss: referee.MayLose, Do: func(r *Run) {
			former := r.primary()
			former.HoldReplicas(without(r.Sentinels.Servers, former)...)
			r.Flow(1 + r.Rand.IntN(300))
			former.Lose()
			r.Sentinels.AwaitPrimary(former, r.Sentinels.Watch...)
			former.Restart()
			r.awaitReplica(former)
		}},
		{Name: "sentinel-partition", Fault: "the primary cut off with one Sentinel, but not from hubs", Store: BySentinels, Loss: referee.MayLose, Do: func(r *Run) {
			former, s := r.primary(), r.Sentinels
			redistest.Part(redistest.Side{Members: []*redistest.Member{former, s.Watch[0]}},
				redistest.Side{Members: append(without(s.Servers, former), s.Watch[1:]...)})
			s.AwaitPrimary(former, s.Watch[1:]...)
			r.Flow(100)
			redistest.Heal(append(s.Servers, s.Watch...)...)
			s.AwaitPrimary(former, s.Watch...)
			r.awaitReplica(former)
		}},
		{Name: "cluster-failover", Fault: "a replica in a Redis Cluster takes over, by order", Store: InCluster, Do: func(r *Run) {
			r.Nodes.Failover()
		}},
		{Name: "cluster-primary-killed", Fault: "the primary in a Redis Cluster killed", Store: InCluster, Loss: referee.MayLose, Do: func(r *Run) {
			former := r.primary()
			former.Kill()
			r.Nodes.AwaitPrimary(former, without(r.Nodes.Nodes, former)...)
			former.Restart()
			r.awaitReplica(former)
		}},
		{Name: "cluster-partition", Fault: "the primary in a Redis Cluster cut off, but not from hubs", Store: InCluster, Loss: referee.MayLose, Do: func(r *Run) {
			former := r.primary()
			others := without(r.Nodes.Nodes, former)
			redistest.Part(redistest.Side{Members: []*redistest.Member{former}}, redistest.Side{Members: others})
			r.Nodes.AwaitPrimary(former, others...)
			r.Flow(100)
			redistest.Heal(r.Nodes.Nodes...)
			r.awaitReplica(former)
		}},
		{Name: "cluster-slot-migrated", Fault: "the slot moved in a Redis Cluster, key by key", Store: InCluster, Do: func(r *Run) {
			// Of the primaries, the one behind the present one.
			to := r.Nodes.Nodes[(slices.Index(r.Nodes.Nodes, r.primary())+1)%3]
			m := r.Nodes.Migrate(to)
			for range r.Rand.IntN(50) {
				m.Move(1 + r.Rand.IntN(5))
			}
			m.End()
		}},
	}
}

// primary returns the server that has the hubs' keys, while all agree on it.
func (r *Run) primary() *redistest.Member {
	if r.Sentinels != nil {
		return r.Sentinels.Primary(r.Sentinels.Watch[0])
	}
	return r.Nodes.Primary(r.Nodes.Nodes[1])
}

// awaitReplica waits until a former primary has the data of its successor.
func (r *Run) awaitReplica(m *redistest.Member) {
	r.T.Helper()
	r.Await("the former primary is a replica", func() bool {
		info, err := m.Do("INFO", "replication")
		return err == nil && strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up")
	})
}

func without(members []*redistest.Member, one *redistest.Member) []*redistest.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m *redistest.Member) bool { return m == one })
}
