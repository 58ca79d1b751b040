package redisbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// clientOptions returns go-redis' options for the URL. What go-redis would do
// on its own behalf is off: a retry could publish twice, and a notice of
// maintenance could move a connection to another server unseen.
func clientOptions(url string, dial dialFunc) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil || strings.Contains(url, "#") {
		return nil, fmt.Errorf("the URL of Redis %w", errURL)
	}
	o.Dialer = newDialer(dial, o.TLSConfig).connect
	o.Protocol = 2
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = callTime
	o.ReadTimeout = callTime
	o.WriteTimeout = callTime
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// errURL takes nothing over from what url.Parse or go-redis say: in a password
// with a slash or the like, they find hosts, paths and options.
var errURL = errors.New("cannot be read; the form is redis://user:password@host:port/database, rediss:// for TLS, " +
	"or unix://path?db=database, and in a password everything but letters and digits is %-encoded")

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
	info, memory, now := pipe.Info(ctx, "server"), pipe.Info(ctx, "memory"), pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return s, err
	}
	fields := infoFields(info.Val() + "\r\n" + memory.Val())
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
	client *redis.Client
	conn   *redis.Conn
}

func openSession(ctx context.Context, o redis.Options) (*session, error) {
	o.PoolSize = oneConnection
	s := &session{client: redis.NewClient(&o)}
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
