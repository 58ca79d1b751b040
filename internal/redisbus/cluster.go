package redisbus

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// clusterAdvice turns what a node answers into what can be done about it.
var clusterAdvice = []hint{
	{"ERR This instance has cluster support disabled", "what answers there is no Redis Cluster; --redis names a Redis of its own as redis://host:6379"},
	{"NOPERM", "the Redis user may not ask where things are in the Cluster: ACL SETUSER name +cluster|keyslot +cluster|nodes +cluster|slots lets it"},
}

var errNoOwner = errors.New("no node of the Cluster has the hub's slot")

// askCluster returns a search that asks nodes of a Cluster for the primary of
// the key.
func askCluster(t target, key string, dial dialFunc) *search {
	s := newSearch(t, *t.options, dial)
	s.said, s.advice = "no node of the Redis Cluster says where the primary is", append(clusterAdvice, advice...)
	s.one = func(ctx context.Context, client *redis.Client) (testimony, error) { return askNode(ctx, client, key) }
	return s
}

// askNode asks one node. SLOTS has the addresses in the form that clients are
// meant to use, and NODES the epochs.
func askNode(ctx context.Context, client *redis.Client, key string) (testimony, error) {
	pipe := client.Pipeline()
	number, slots, nodes := pipe.ClusterKeySlot(ctx, key), pipe.Do(ctx, "CLUSTER", "SLOTS"), pipe.ClusterNodes(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return testimony{}, err
	}
	host, _, err := net.SplitHostPort(client.Options().Addr)
	if err != nil {
		return testimony{}, err
	}
	ranges, err := slots.Slice()
	if err != nil {
		return testimony{}, errAnswer
	}
	var t testimony
	owner := ""
	for _, r := range ranges {
		part, err := parseSlots(r, host)
		if err != nil {
			return testimony{}, err
		}
		if len(part.nodes) > 0 && part.from <= number.Val() && number.Val() <= part.upto {
			owner, t.addr, t.near = part.owner, part.nodes[0], part.nodes
		} else {
			t.far = append(t.far, part.nodes...)
		}
	}
	if owner == "" {
		return testimony{}, errNoOwner
	}
	t.epoch, err = epochOf(owner, nodes.Val())
	return t, err
}

// slotRange is a range of slots and who has it, the primary first.
type slotRange struct {
	from, upto int64
	owner      string // the primary's id
	nodes      []string
}

// parseSlots reads one entry of CLUSTER SLOTS, as host answers it.
func parseSlots(entry any, host string) (slotRange, error) {
	fields, ok := entry.([]any)
	if !ok || len(fields) < 3 {
		return slotRange{}, errAnswer
	}
	r := valueReader{values: fields[:2]}
	part := slotRange{from: r.number(), upto: r.number()}
	for _, field := range fields[2:] {
		node, ok := field.([]any)
		if !ok || len(node) < 3 || r.failed {
			return slotRange{}, errAnswer
		}
		name, _ := node[0].(string)
		port, known := node[1].(int64)
		id, named := node[2].(string)
		switch {
		case !known || !named:
			return slotRange{}, errAnswer
		case name == "?":
			continue // it has not said its name yet
		case name == "":
			name = host // nobody has told it, or it leaves that to us
		}
		part.nodes = append(part.nodes, net.JoinHostPort(name, strconv.FormatInt(port, 10)))
		if len(part.nodes) == 1 {
			part.owner = id
		}
	}
	return part, nil
}

// epochOf reads from CLUSTER NODES in which epoch the node came to its slots.
func epochOf(id, nodes string) (int64, error) {
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); len(fields) >= 8 && fields[0] == id {
			epoch, err := strconv.ParseInt(fields[6], 10, 64)
			if err != nil {
				return 0, errAnswer
			}
			return epoch, nil
		}
	}
	return 0, errNoOwner
}
