package redisbus

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// sentinelAdvice turns what a Sentinel answers into what can be done about it.
var sentinelAdvice = []hint{
	{"ERR No such master", "the Sentinels know no primary of that name; --redis has it behind the hosts: redis+sentinel://host:26379/name"},
	{"ERR unknown command", "what answers there is no Sentinel; --redis names a Redis itself as redis://host:6379"},
	{"WRONGPASS", "wrong user name or password for the Sentinels; --redis has them at its end: ?sentinel_username=user&sentinel_password=password"},
	{"NOAUTH", "the Sentinels want a password; --redis has it at its end: ?sentinel_password=password"},
	{"NOPERM", "the user of the Sentinels may not ask for the primary: ACL SETUSER name +sentinel|master +sentinel|get-master-addr-by-name lets it"},
}

// askSentinels returns a search that asks Sentinels.
func askSentinels(t target, dial dialFunc) *search {
	o := *t.options
	o.Username, o.Password = t.user, t.password
	s := newSearch(t, o, dial)
	s.said, s.advice = "no Sentinel says where the primary is", sentinelAdvice
	s.one = func(ctx context.Context, client *redis.Client) (testimony, error) {
		return askSentinel(ctx, client, t.name)
	}
	return s
}

// askSentinel asks one. The epoch comes first: in the middle of a failover, a
// Sentinel has the new one before it has the new address in all its answers,
// and only an old address with a later epoch would do harm.
func askSentinel(ctx context.Context, client *redis.Client, name string) (testimony, error) {
	pipe := client.Pipeline()
	master, addr := pipe.Do(ctx, "SENTINEL", "MASTER", name), pipe.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
	if _, err := pipe.Exec(ctx); err != nil {
		return testimony{}, err
	}
	fields, err := master.StringSlice()
	if err != nil {
		return testimony{}, errAnswer
	}
	where, err := addr.StringSlice()
	if err != nil || len(where) != 2 {
		return testimony{}, errAnswer
	}
	for i := 1; i < len(fields); i += 2 {
		if fields[i-1] == "config-epoch" {
			epoch, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return testimony{}, errAnswer
			}
			return testimony{view: view{net.JoinHostPort(where[0], where[1]), epoch}}, nil
		}
	}
	return testimony{}, errors.New("a Sentinel that tells no config-epoch")
}
