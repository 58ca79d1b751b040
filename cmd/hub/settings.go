package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/internal/auth"
	"tickertape/internal/stream"
)

// settings are what the hub reads from flags and environment.
type settings struct {
	Addr           string           `env:"HUB_ADDR" default:"127.0.0.1:8080" help:"Address to listen on, host:port."`
	AdminAddr      string           `env:"HUB_ADMIN_ADDR" default:"127.0.0.1:8081" help:"Address of metrics and profiles, host:port; none: nowhere."`
	TLS            tlsSettings      `embed:""`
	Redis          string           `env:"HUB_REDIS" placeholder:"URL" help:"URL of the Redis that joins several nodes, like redis://user:password@host:6379/0; redis+sentinel://host:26379,host:26379/name by Sentinels, redis+cluster://host:6379,host:6379 in a Cluster; rediss for TLS. None: one node, in memory."`
	RedisPrefix    string           `env:"HUB_REDIS_PREFIX" default:"tt:{0}:" help:"What the names of all keys and channels in Redis begin with; hubs with the same one are nodes of one."`
	Config         string           `env:"HUB_CONFIG" placeholder:"FILE" help:"YAML file that says who may do what (access, docs/access.md), and of which topics only the latest message of each key is kept, or nothing (rules, docs/topics.md). None: everybody may do everything, and all topics are logs."`
	Insecure       bool             `env:"HUB_INSECURE" help:"Let everyone publish, although the address can be reached from other machines and --config says nothing of access; and everyone look at --admin-addr."`
	PublishOrigins []string         `env:"HUB_PUBLISH_ORIGINS" placeholder:"ORIGIN" help:"Origins, like https://example.com, whose pages may publish and send cookies along, besides the hub's own: that may publish with a credential, or under an IP address or localhost."`
	RetainMessages int              `env:"HUB_RETAIN_MESSAGES" default:"10000" help:"Messages kept of each topic."`
	RetainBytes    size             `env:"HUB_RETAIN_BYTES" default:"16MiB" help:"Bytes kept of each topic."`
	RetainAge      time.Duration    `env:"HUB_RETAIN_AGE" default:"24h" help:"How long messages are kept."`
	Memory         size             `env:"HUB_MEMORY" default:"1GiB" help:"Bytes kept of all topics together in memory; beyond it, publishing is refused. With Redis, its maxmemory counts."`
	Writer         stream.Writer    `env:"HUB_WRITER" default:"auto" help:"Who writes streams: loop, on Linux, a few loops for all that come by plain HTTP/1.1, each at a tenth of the memory; portable, a goroutine for each; auto, loop where there is one."`
	DrainWait      time.Duration    `env:"HUB_DRAIN_WAIT" default:"5s" help:"After SIGTERM, how long a node that shares its bus goes on as before, until balancers see that it is not ready."`
	DrainWindow    time.Duration    `env:"HUB_DRAIN_WINDOW" default:"25s" help:"Over which time such a node then ends its streams, each at a moment of its own."`
	Limits         limitSettings    `embed:"" group:"Limits"`
	LogFormat      string           `env:"HUB_LOG_FORMAT" enum:"text,json" default:"text" help:"Form of the log: ${enum}."`
	LogLevel       slog.Level       `env:"HUB_LOG_LEVEL" default:"info" help:"Least level to log: debug, info, warn, error."`
	Version        kong.VersionFlag `help:"Print the version and exit."`
}

// noAdmin is the address of metrics that shall be nowhere.
const noAdmin = "none"

// Validate is called by kong.
func (s *settings) Validate() error {
	_, port, err := net.SplitHostPort(s.Addr)
	switch {
	case err != nil || port == "":
		return fmt.Errorf("--addr (HUB_ADDR): %q is not of the form host:port, like 127.0.0.1:8080 or [::1]:8080", s.Addr)
	case s.RetainMessages < 1 || s.RetainBytes < 1 || s.RetainAge < time.Second || s.Memory < 1:
		return errors.New("--retain-messages, --retain-bytes and --memory must each be at least 1, --retain-age at least 1s")
	case min(s.DrainWait, s.DrainWindow) < 0 || max(s.DrainWait, s.DrainWindow) > time.Hour:
		return errors.New("--drain-wait and --drain-window must each be from 0s to 1h")
	}
	if err := s.Writer.Check(); err != nil {
		return fmt.Errorf("--writer (HUB_WRITER): %w", err)
	}
	return s.validateAdmin()
}

// checkReach refuses to let everybody in whom nobody meant.
func (s *settings) checkReach(says config) error {
	if host, _, err := net.SplitHostPort(s.Addr); err != nil || says.access != nil || s.Insecure || auth.IsLoopback(host) {
		return err
	}
	return fmt.Errorf("--addr %s can be reached from other machines, and everyone there could publish: use a loopback address, "+
		"say in --config who may do what (access), or say --insecure", s.Addr)
}

func (s *settings) validateAdmin() error {
	if s.AdminAddr == noAdmin {
		return nil
	}
	host, port, err := net.SplitHostPort(s.AdminAddr)
	switch {
	case err != nil || port == "":
		return fmt.Errorf("--admin-addr (HUB_ADMIN_ADDR): %q is not of the form host:port, like 127.0.0.1:8081, nor none", s.AdminAddr)
	case !s.Insecure && !auth.IsLoopback(host):
		return fmt.Errorf("--admin-addr %s can be reached from other machines, and everyone there could look into the hub: use a loopback address or none, or say --insecure", s.AdminAddr)
	case s.AdminAddr == s.Addr && port != "0":
		return fmt.Errorf("--admin-addr %s is also --addr: metrics have an address of their own, or none", s.AdminAddr)
	}
	return nil
}

func (s *settings) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel, ReplaceAttr: visible}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// size is a number of bytes, written like 512, 64KiB, 16MiB or 1GiB.
type size int

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	digits, shift := string(text), 0
	for i, unit := range [...]string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(digits, unit); ok {
			digits, shift = rest, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
	if err != nil || n > math.MaxInt>>shift {
		return fmt.Errorf("%q is not a size like 64KiB, 16MiB or 1GiB", text)
	}
	*s = size(n << shift)
	return nil
}
