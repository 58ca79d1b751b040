package redisbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is what a connection learns about its server when it is made.
type server struct {
	run     string
	version string
	policy  string // maxmemory_policy; empty if it cannot be read
	// time is how Redis' clock stood at our moment read, or before that: the
	// answer was under way for a while.
	time, read time.Time
}

// inRedis returns when a moment of ours comes by Redis' clock, or a little
// before. It holds while no clock is set, and if ours is.
func (s server) inRedis(moment time.Time) time.Time { return s.time.Add(moment.Sub(s.read)) }

// oldestVersion has everything that the scripts use: exclusive ranges and
// XTRIM's exact forms came with it.
const oldestVersion = "6.2.0"

// hello asks a new connection's server who it is.
func hello(ctx context.Context, conn redis.Cmdable) (server, error) {
	var s server
	pipe := conn.Pipeline()
	info, memory, replication := pipe.Info(ctx, "server"), pipe.Info(ctx, "memory"), pipe.Info(ctx, "replication")
	now := pipe.Time(ctx)
	_, err := pipe.Exec(ctx)
	fields := infoFields(info.Val() + "\r\n" + memory.Val() + "\r\n" + replication.Val())
	switch {
	case fields["redis_mode"] == "sentinel":
		return s, errSentinel
	case err != nil:
		return s, err
	case fields["role"] == "slave":
		return s, errReplica // also of what reads, and of what hears: a primary that is none any more has the past only
	}
	s.run, s.version, s.policy = fields["run_id"], fields["redis_version"], fields["maxmemory_policy"]
	s.time, s.read = now.Val(), time.Now()
	if s.run == "" {
		return s, errors.New("INFO server has no run_id: is this a Redis?")
	}
	if older(s.version, oldestVersion) {
		return s, fmt.Errorf("%w: this is Redis %s, and %s is the oldest that works", errTooOld, s.version, oldestVersion)
	}
	return s, nil
}

func infoFields(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// older compares versions number by number.
func older(version, than string) bool {
	have, want := strings.Split(version, "."), strings.Split(than, ".")
	for i := range want {
		w, _ := strconv.Atoi(want[i])
		h := 0
		if i < len(have) {
			h, _ = strconv.Atoi(have[i])
		}
		if h != w {
			return h < w
		}
	}
	return false
}

// oneConnection is the size of a pool that has one connection. go-redis counts
// failed dials, and when they are as many as the pool is large, begins to dial
// by itself.
const oneConnection = 100

// session is one connection, and the server at its other end. It never becomes
// another one: once it has failed it stays so, for a server that was restarted
// in between must not pass for the one that was asked before.
type session struct {
	server
	place  place
	client *redis.Client
	conn   *redis.Conn
}

func openSession(ctx context.Context, p *primary, o redis.Options) (*session, error) {
	s := &session{}
	o.Dialer = p.dialTo(&s.place)
	o.PoolSize = oneConnection
	s.client = redis.NewClient(&o)
	s.conn = s.client.Conn()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var err error
	if s.server, err = hello(ctx, s.conn); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	_ = s.conn.Close() // what fails here was broken already
	_ = s.client.Close()
}
