package redistest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"tickertape/internal/proctest"
)

// slotTag is the hash tag of the slot that a Cluster is about.
const slotTag = "{0}"

// Cluster is a Redis Cluster: three primaries, of which the first has the slot
// of keys with the hash tag {0}, and two replicas of that one. A node is given
// up after a second of silence. All end with the test.
type Cluster struct {
	URL   string // redis+cluster://…, of all nodes
	Nodes []*Member

	t        testing.TB
	slot     string
	password string // of all
}

// StartCluster starts nodes with these arguments, as Start takes them, and
// returns when all know each other and the replicas have the data. If the
// arguments have a password, they have to have it as the masterauth too.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, password: passwordIn(args)}
	for i := range 5 {
		c.Nodes = append(c.Nodes, startNode(t, i+1, args))
	}
	first, replicas := c.Nodes[0], c.Nodes[3:]
	c.slot = first.Must("CLUSTER", "KEYSLOT", slotTag)
	// The first has the upper third, in which that slot lies.
	for i, slots := range [...][]string{{"10923", "16383"}, {"0", "5460"}, {"5461", "10922"}} {
		c.Nodes[i].Must("CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1])
	}
	for i, m := range c.Nodes {
		m.Must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i > 0 {
			m.Must("CLUSTER", "MEET", "127.0.0.1", first.port(), first.busPort())
		}
	}
	c.await("all know each other", func(m *Member) bool {
		return strings.Count(m.Must("CLUSTER", "NODES"), " connected") == len(c.Nodes)
	})
	for _, m := range replicas {
		m.Must("CLUSTER", "REPLICATE", first.Must("CLUSTER", "MYID"))
	}
	awaitThat(t, "the replicas have the data", func() bool {
		return strings.Count(first.Must("INFO", "replication"), "state=online") == len(replicas)
	})
	c.await("the Cluster is up", func(m *Member) bool {
		return strings.Contains(m.Must("CLUSTER", "INFO"), "cluster_state:ok") && c.Primary(m) == first &&
			strings.Count(m.Must("CLUSTER", "NODES"), "slave ") == len(replicas)
	})
	c.wait(usual)
	c.URL = c.URLOf(c.Nodes...)
	return c
}

// Calm has the nodes wait so long for each other that none is given up by itself,
// however busy the machine is.
func (c *Cluster) Calm() { c.wait(calm) }

// wait has the nodes wait for each other for so many milliseconds.
func (c *Cluster) wait(ms string) {
	c.t.Helper()
	for _, m := range c.Nodes {
		m.Must("CONFIG", "SET", "cluster-node-timeout", ms)
	}
}

// startNode starts the number'th node.
func startNode(t testing.TB, number int, args []string) *Member {
	t.Helper()
	m := newMember(t, number)
	m.bus = StartProxy(t, "")
	own := slices.Concat(m.args(), []string{"--cluster-enabled", "yes", "--cluster-node-timeout", atFirst,
		"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", m.port(), "--cluster-announce-bus-port", m.busPort(),
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--save", "", "--appendonly", "no"}, args)
	port := ""
	m.Server = start(t, passwordIn(args), nil, func(*Server) []string {
		if m.Server == nil { // another one for each try, until it has started once
			addr, err := proctest.FreeAddr()
			if err != nil {
				t.Fatal(err)
			}
			m.bus.Target(addr)
			_, port, _ = strings.Cut(addr, ":")
		}
		return append(own, "--cluster-port", port, "--logfile", "")
	})
	m.Proxy.Target(m.Addr)
	return m
}

// busPort is the one by which the other nodes reach it.
func (m *Member) busPort() string {
	_, port, _ := strings.Cut(m.bus.Addr, ":")
	return port
}

// URLOf returns a URL that names these nodes only.
func (c *Cluster) URLOf(nodes ...*Member) string {
	addrs := make([]string, len(nodes))
	for i, m := range nodes {
		addrs[i] = m.Proxy.Addr
	}
	if c.password != "" {
		return "redis+cluster://default:" + c.password + "@" + strings.Join(addrs, ",")
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// await waits until the condition holds for all nodes.
func (c *Cluster) await(what string, condition func(*Member) bool) {
	c.t.Helper()
	awaitThat(c.t, what, func() bool {
		return !slices.ContainsFunc(c.Nodes, func(m *Member) bool { return !condition(m) })
	})
}

// Primary returns the node that this one takes for the primary of the slot; nil
// if it is away.
func (c *Cluster) Primary(of *Member) *Member {
	text, _ := of.Do("CLUSTER", "NODES")
	slot, _ := strconv.Atoi(c.slot)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		for _, part := range fields[min(8, len(fields)):] {
			from, upto, isRange := strings.Cut(part, "-")
			if !isRange {
				upto = from
			}
			low, err := strconv.Atoi(from)
			high, err2 := strconv.Atoi(upto)
			if err == nil && err2 == nil && low <= slot && slot <= high {
				return c.at(fields[1])
			}
		}
	}
	return nil
}

// at returns the node with the address, as CLUSTER NODES has it.
func (c *Cluster) at(addr string) *Member {
	for _, m := range c.Nodes {
		if strings.HasPrefix(addr, m.Proxy.Addr+"@") {
			return m
		}
	}
	return nil
}

// AwaitPrimary waits until these nodes agree that another node than the former
// one is the primary, and it takes writes, and returns it.
func (c *Cluster) AwaitPrimary(former *Member, nodes ...*Member) *Member {
	c.t.Helper()
	var next *Member
	awaitThat(c.t, "the Cluster has another primary", func() bool {
		next = c.Primary(nodes[0])
		if next == nil || next == former {
			return false
		}
		for _, m := range nodes {
			info, err := m.Do("CLUSTER", "INFO")
			if err != nil || c.Primary(m) != next || !strings.Contains(info, "cluster_state:ok") {
				return false
			}
		}
		return strings.HasPrefix(next.Must("ROLE"), "master")
	})
	return next
}

// Failover has a replica become the primary while all are well, and returns it.
func (c *Cluster) Failover() *Member {
	c.t.Helper()
	former := c.Primary(c.Nodes[0])
	id := former.Must("CLUSTER", "MYID")
	next := slices.IndexFunc(c.Nodes, func(m *Member) bool {
		return m != former && strings.Contains(m.Must("CLUSTER", "NODES"), "myself,slave "+id)
	})
	if next < 0 {
		c.t.Fatal("the primary has no replica")
	}
	c.Nodes[next].Must("CLUSTER", "FAILOVER")
	return c.AwaitPrimary(former, c.Nodes...)
}

// Migration is the slot on its way from one primary to another.
type Migration struct {
	cluster  *Cluster
	from, to *Member
}

// Migrate begins to move the slot to another primary.
func (c *Cluster) Migrate(to *Member) *Migration {
	c.t.Helper()
	m := &Migration{c, c.Primary(to), to}
	to.Must("CLUSTER", "SETSLOT", c.slot, "IMPORTING", m.from.Must("CLUSTER", "MYID"))
	m.from.Must("CLUSTER", "SETSLOT", c.slot, "MIGRATING", to.Must("CLUSTER", "MYID"))
	return m
}

// Move moves some of the keys that are still to be moved, and reports whether
// there were any.
func (m *Migration) Move(count int) bool {
	m.cluster.t.Helper()
	keys := m.from.Must("CLUSTER", "GETKEYSINSLOT", m.cluster.slot, strconv.Itoa(count))
	if keys == "" {
		return false
	}
	host, port, _ := strings.Cut(m.to.Addr, ":")
	command := []string{"MIGRATE", host, port, "", "0", "5000"}
	if m.cluster.password != "" {
		command = append(command, "AUTH", m.cluster.password)
	}
	m.from.Must(append(append(command, "KEYS"), strings.Split(keys, "\n")...)...)
	return true
}

// End moves what is left and gives the slot to its new primary. It returns when
// all nodes know that.
func (m *Migration) End() {
	m.cluster.t.Helper()
	for m.Move(100) {
	}
	id := m.to.Must("CLUSTER", "MYID")
	for _, node := range []*Member{m.to, m.from} {
		node.Must("CLUSTER", "SETSLOT", m.cluster.slot, "NODE", id)
	}
	m.cluster.AwaitPrimary(m.from, m.cluster.Nodes...)
}
