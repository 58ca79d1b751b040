package redisbus

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// kind is how a URL says where the primary is.
type kind int

const (
	fixed     kind = iota // it is there
	sentinels             // Sentinels know
	cluster               // the nodes of a Cluster know
)

// target is what a URL names.
type target struct {
	kind  kind
	hosts []string // host:port of those that know where the primary is
	name  string   // under which Sentinels know it
	// options reach the primary; their Addr means something only if it is fixed.
	options *redis.Options
	// user and password are for Sentinels, which have their own.
	user, password string
}

var (
	// errURL takes nothing over from what url.Parse or go-redis say: in a password
	// with a slash or the like, they find hosts, paths and options.
	errURL = errors.New("the URL of Redis cannot be read; the form is redis://user:password@host:port/database, rediss:// for TLS, " +
		"or unix://path?db=database, redis+sentinel://user:password@host:port,host:port/name/database, " +
		"or redis+cluster://user:password@host:port,host:port, and in a password everything but letters and digits is %-encoded")
	errNoName    = errors.New("the URL of Redis lacks the name of the primary, as the Sentinels know it: redis+sentinel://host:26379,host:26379/name")
	errDatabases = errors.New("a Redis Cluster has no databases: the form of its URL is redis+cluster://host:6379,host:6379, with nothing behind the hosts")
)

// parseURL reads a URL of any kind.
func parseURL(text string) (target, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	var t target
	port := ""
	switch scheme {
	case "redis+sentinel", "rediss+sentinel":
		t.kind, port = sentinels, "26379"
	case "redis+cluster", "rediss+cluster":
		t.kind, port = cluster, "6379"
	}
	if t.kind != fixed {
		scheme, _, _ = strings.Cut(scheme, "+")
		var err error
		if rest, err = t.cut(rest, port); err != nil {
			return target{}, err
		}
	}
	o, err := redis.ParseURL(scheme + "://" + rest)
	if err != nil || strings.Contains(text, "#") {
		return target{}, errURL
	}
	discipline(o)
	if t.kind == fixed {
		t.hosts = []string{o.Addr}
	}
	t.options = o
	return t, nil
}

// cut takes what is not for every Redis off what follows the scheme, and
// returns the rest as a URL of one Redis has it.
func (t *target) cut(text, port string) (rest string, err error) {
	text, query, _ := strings.Cut(text, "?")
	authority, path, _ := strings.Cut(text, "/")
	user, list := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, list = authority[:at+1], authority[at+1:]
	}
	for host := range strings.SplitSeq(list, ",") {
		addr, ok := withPort(host, port)
		if !ok {
			return "", errURL
		}
		t.hosts = append(t.hosts, addr)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errURL
	}
	database := strings.TrimSuffix(path, "/")
	switch t.kind {
	case sentinels:
		name, of, _ := strings.Cut(path, "/")
		if t.name, err = url.PathUnescape(name); err != nil {
			return "", errURL
		}
		if t.name == "" {
			return "", errNoName
		}
		database = of
		t.user, t.password = values.Get("sentinel_username"), values.Get("sentinel_password")
		values.Del("sentinel_username")
		values.Del("sentinel_password")
	default:
		if database != "" && database != "0" || values.Has("db") {
			return "", errDatabases
		}
	}
	return user + t.hosts[0] + "/" + database + "?" + values.Encode(), nil
}

// withPort returns host:port for a host with or without one. An IPv6 address
// stands in brackets.
func withPort(host, port string) (addr string, ok bool) {
	name, given, err := net.SplitHostPort(host)
	if err != nil {
		name, given, err = net.SplitHostPort(host + ":" + port)
	}
	number, failed := strconv.ParseUint(given, 10, 16)
	if err != nil || failed != nil || number == 0 || name == "" || strings.ContainsAny(name, " \t\r\n@[]%\\") {
		return "", false
	}
	return net.JoinHostPort(name, given), true
}

// discipline turns off what go-redis would do on its own behalf: a retry could
// publish twice, and a notice of maintenance could move a connection to
// another server unseen.
func discipline(o *redis.Options) {
	o.Protocol = 2
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = callTime
	o.ReadTimeout = callTime
	o.WriteTimeout = callTime
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// String names the target for people, without what is secret.
func (t target) String() string {
	hosts := strings.Join(t.hosts, ", ")
	switch t.kind {
	case sentinels:
		return fmt.Sprintf("Redis at the primary %s of the Sentinels at %s, database %d", t.name, hosts, t.options.DB)
	case cluster:
		return "Redis Cluster at " + hosts
	default:
		return fmt.Sprintf("Redis at %s, database %d", hosts, t.options.DB)
	}
}
