package redisbus

import (
	"log/slog"
	"sync"
	"time"
)

// accord is whether the nodes have the same rules. Each says in its beats what
// its own are.
type accord struct {
	own string // digest
	log *slog.Logger

	mu     sync.Mutex
	others map[string]time.Time // digests of other rules, and when they were last heard
}

func newAccord(own string, log *slog.Logger) *accord {
	return &accord{own: own, log: log, others: map[string]time.Time{}}
}

// hear takes in which rules a node has, and reports whether that is news.
func (a *accord) hear(digest string) (news bool) {
	if digest == "" || digest == a.own {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known := a.others[digest]
	a.others[digest] = time.Now()
	if !known {
		a.log.Warn("another node has other rules for topics; what is kept of a topic depends on the node that takes a message",
			slog.String("rules", a.own), slog.String("theirs", digest))
	}
	return !known
}

// forget lets go of rules that were not heard of for a while.
func (a *accord) forget(after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for digest, heard := range a.others {
		if time.Since(heard) > after {
			delete(a.others, digest)
			a.log.Info("no node has these rules any more", slog.String("theirs", digest))
		}
	}
}

func (a *accord) broken() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.others) > 0
}

// accordTime is how many beats rules are taken for a node's that were not heard of
// since.
const accordTime = 30

// RulesDiffer reports whether another node, as of its last beats, has other
// rules.
func (b *Bus) RulesDiffer() bool { return b.accord.broken() }
