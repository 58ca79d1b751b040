package redisbus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

var (
	errTooOld    = errors.New("too old a Redis")
	errAway      = errors.New("the connection to Redis failed")
	errFollows   = errors.New("the store has begun another epoch, and may have lost what came before in this stream")
	errLate      = errors.New("storing took too long")
	errFull      = errors.New("too much waits to be published already")
	errClosed    = errors.New("the node is closing")
	errUnknown   = errors.New("the connection to Redis broke before its answer came")
	errReplica   = errors.New("this Redis is a replica, and --redis must name the primary, or who knows it: Sentinels or a Cluster")
	errSentinel  = errors.New("this is a Redis Sentinel; --redis names it as redis+sentinel://host:26379/name, with the name of the primary")
	errElsewhere = errors.New("the server is not the one that wrote last")
)

// hint is what can be done about what Redis answers.
type hint struct{ prefix, text string }

// advice turns an error that Redis answers with into what can be done about it.
var advice = []hint{
	{"WRONGPASS", "wrong user name or password; --redis names them as redis://user:password@host"},
	{"NOAUTH", "a password is needed; --redis names it as redis://:password@host"},
	{"NOPERM", "the Redis user may not do what a hub needs: ACL SETUSER name ~tt:{0}:* &tt:{0}:* +@hash +@sortedset +@stream +@string +@pubsub +multi +exec +eval +evalsha +script|load +info +time +unlink +pexpire +select gives it that"},
	{"ERR DB index is out of range", "the Redis server does not have that database; the number at the end of --redis names it"},
	{"ERR invalid DB index", "the Redis server does not have that database; the number at the end of --redis names it"},
	{"ERR SELECT is not allowed in cluster mode", "a Redis Cluster has no databases; leave the number at the end of --redis out"},
	{"READONLY", errReplica.Error()},
	{"OOM", "Redis is full (maxmemory); until something expires, or it gets more memory, it stores nothing"},
	{"MISCONF", "Redis cannot write its snapshot to disk and refuses to store anything until it can"},
	{"LOADING", "Redis is loading its data"},
	{"MASTERDOWN", "this Redis is a replica without its primary"},
	{"NOREPLICAS", "Redis has fewer replicas than min-replicas-to-write asks for"},
	{"MOVED", "another node of the Redis Cluster has the hub's slot; hubs look for it if --redis names the Cluster, as redis+cluster://host:6379"},
	{"ASK", movingSlot},
	{"TRYAGAIN", movingSlot},
	{"CLUSTERDOWN", "the Redis Cluster is down: a part of it has no primary, or this node sees too few of the others"},
	{"CROSSSLOT", "this is a Redis Cluster, and the prefix has no hash tag, like tt:{0}:"},
}

const movingSlot = "the hub's slot is on its way to another node of the Redis Cluster"

// explain words what went wrong between the bus and Redis. It names no
// addresses: the text goes to whoever asked.
func explain(err error) error {
	if search, ok := errors.AsType[*searchError](err); ok {
		return fmt.Errorf("%s: %w", search.said, explainBy(search.advice, search.cause))
	}
	return explainBy(advice, err)
}

func explainBy(advice []hint, err error) error {
	var answer redis.Error
	var distrust *tls.CertificateVerificationError
	switch {
	case errors.As(err, &distrust):
		return fmt.Errorf("%w: its certificate is not trusted; SSL_CERT_FILE may name a file with those that are: %w", errAway, err)
	case !errors.As(err, &answer) && strings.Contains(err.Error(), "can't parse"):
		return fmt.Errorf("%w: what answers there is no Redis: %w", errAway, err)
	case !errors.As(err, &answer):
		if cause := broken(err); cause != "" {
			return fmt.Errorf("%w: %s", errAway, cause)
		}
		return err
	}
	said := remark{err, discreet(answer.Error())}
	for _, a := range advice {
		if strings.HasPrefix(refusal(answer), a.prefix) {
			return fmt.Errorf("%s (Redis says: %w)", a.text, said)
		}
	}
	return fmt.Errorf("an error of Redis: %w", said)
}

// remark is an error in fewer words.
type remark struct {
	error
	text string
}

func (r remark) Error() string { return r.text }
func (r remark) Unwrap() error { return r.error }

// discreet leaves out of what Redis says the address of another server, and
// in which line of which script it refused. The latter would also make one
// fault look like a new one each time.
func discreet(text string) string {
	if word, _, _ := strings.Cut(text, " "); word == "MOVED" || word == "ASK" {
		return word
	}
	text, _, _ = strings.Cut(text, " script: ")
	return text
}

// broken says how a connection failed, or nothing if something else did.
func broken(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil && !op.Timeout() {
		return op.Err.Error()
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "no answer in time"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it was closed"
	}
	// go-redis looks at a connection by system calls of its own.
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return ""
}

// answered reports whether Redis itself refused, so that nothing was done.
func answered(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// elsewhere reports whether another server should be looked for: this one
// refuses what the primary would take, or is not up yet, or may have lost its
// office. A slot on its way is at either end of it soon. All of these come
// before anything is done.
func elsewhere(err error) bool {
	return says(err, "READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
}

// lasting reports whether a fault will not mend by itself.
func lasting(err error) bool {
	return errors.Is(err, errTooOld) || says(err, "WRONGPASS", "NOAUTH", "NOPERM", "ERR DB index", "ERR invalid DB index", "ERR SELECT", "ERR invalid password", "ERR AUTH")
}

func says(err error, prefixes ...string) bool {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, p := range prefixes {
		if strings.HasPrefix(refusal(answer), p) {
			return true
		}
	}
	return false
}

// refusal returns what a server refuses. Before Redis 7, what a command inside a
// script was refused with came wrapped in an error of the script.
func refusal(answer redis.Error) string {
	text := answer.Error()
	if strings.HasPrefix(text, "ERR Error running script") {
		if _, inner, ok := strings.Cut(text, ": -"); ok {
			return inner
		}
	}
	return text
}

func unavailable(err error, maybe bool) error {
	return &event.UnavailableError{MaybeStored: maybe, RetryAfter: time.Second, Err: err}
}
