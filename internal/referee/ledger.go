// Package referee judges whether nodes keep their promises while they are
// harmed. A Ledger holds what was published and what its publishers were told,
// Listeners note all that streams bring them over any number of connections,
// and Judge compares the two. A Cluster is what is harmed: nodes over one
// Redis, with clients that come back to any of them.
//
// The texts that are published are numbers, so some 100,000 messages and a
// dozen listeners cost some ten megabytes each.
package referee

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// outcome is what a publisher was told.
type outcome uint8

const (
	unknown      outcome = iota // it may be stored; also while nobody was told anything
	acknowledged                // it is stored
	notStored                   // it is not, and never will be
)

func (o outcome) String() string {
	return [...]string{"unknown", "acknowledged", "not stored"}[o]
}

// publish is one message in the ledger.
type publish struct {
	topic     event.Topic
	publisher int32
	outcome   outcome
	at        place // if acknowledged
	began     time.Time
	answered  time.Time // the last time; zero: not yet
	left      time.Time // when the publisher was told that nobody knows, and gave up; zero: it did not
}

// place is where an event stands: its cursor, without what is always the same.
type place struct {
	position event.Position
	epoch    uint32
	nonce    uint32
}

func (p place) String() string { return fmt.Sprintf("%v of epoch %d", p.position, p.epoch) }

func placeOf(c event.Cursor) place { return place{c.Position, c.Epoch.Number, c.Epoch.Nonce} }

// Ledger holds publishes. Its methods may be called from any goroutine.
type Ledger struct {
	padding string
	age     time.Duration
	unaware bool

	mu      sync.Mutex
	entries []publish
	counts  [3]int   // of entries, by outcome
	odd     []string // answers that a publisher must not get
	slowest time.Duration
}

// NewLedger returns an empty Ledger for messages of about so many bytes.
func NewLedger(size int) *Ledger {
	return &Ledger{padding: strings.Repeat(".", max(0, size))}
}

// KeepFor says for how long the store keeps events, before anything is noted.
// A topic to which nothing comes for longer may be forgotten as a whole: then
// clients from before are told that something may have expired. Zero, the
// default: for longer than anybody looks.
func (l *Ledger) KeepFor(age time.Duration) { l.age = age }

// Unaware says, before anything is noted, that who writes first to a store that
// lost something may know nothing of what was there: then its positions may
// begin far below those that were given out before. Otherwise hubs know that,
// but for what they have yet to hear.
func (l *Ledger) Unaware() { l.unaware = true }

// Add notes that a publish begins and returns its number and its text. What
// one publisher sends, it sends one after the other.
func (l *Ledger) Add(topic event.Topic, publisher int) (number int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, publish{topic: topic, publisher: int32(publisher), began: time.Now()})
	l.counts[unknown]++
	number = len(l.entries) - 1
	return number, l.text(number)
}

func (l *Ledger) text(number int) string { return strconv.Itoa(number) + l.padding }

// number returns which publish the text belongs to, or -1.
func (l *Ledger) number(text string) int {
	digits, padded := strings.CutSuffix(text, l.padding)
	n, err := strconv.Atoi(digits)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || !padded || n < 0 || n >= len(l.entries) || digits != strconv.Itoa(n) {
		return -1
	}
	return n
}

// Acknowledge notes that the publisher was told the message's id.
func (l *Ledger) Acknowledge(number int, id string) {
	cursor, err := event.ParseCursor(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.odd = append(l.odd, fmt.Sprintf("publish %d was acknowledged with the id %q", number, id))
		return
	}
	l.settle(number, acknowledged)
	l.entries[number].at = placeOf(cursor)
}

// Stored notes that the publisher was told that the message is stored, and not
// where.
func (l *Ledger) Stored(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(number, acknowledged)
}

// Refuse notes that the publisher was told that the message is not stored.
func (l *Ledger) Refuse(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(number, notStored)
}

// Leave notes that the publisher was told by a hub that nobody knows whether the
// message is stored, and leaves it at that: from now on it never will be.
func (l *Ledger) Leave(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[number].left = time.Now()
}

// settle notes what a publisher was told in the end.
func (l *Ledger) settle(number int, o outcome) {
	e := &l.entries[number]
	l.counts[e.outcome]--
	l.counts[o]++
	e.outcome, e.answered = o, time.Now()
}

// Told notes the hub's answer to a publish that failed, and reports whether it
// leaves open that the message is stored. It complains of an answer that does
// not say what to do.
func (l *Ledger) Told(number int, err error) (mayBeStored bool) {
	answer, ok := errors.AsType[*client.Error](err)
	if !ok {
		return true // no answer: the node has gone
	}
	stored := answer.Stored == "no" || answer.Stored == "unknown"
	if answer.Status != http.StatusServiceUnavailable || answer.RetryAfter == 0 || !stored {
		l.Complain("publish %d was answered %v; stored %q, Retry-After %v", number, err, answer.Stored, answer.RetryAfter)
	}
	return answer.Stored != "no"
}

// Complain notes an answer that a publisher must not get.
func (l *Ledger) Complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd = append(l.odd, fmt.Sprintf(format, args...))
}

// Took notes how long an answer took.
func (l *Ledger) Took(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, d)
}

// Slowest returns how long the slowest answer took.
func (l *Ledger) Slowest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slowest
}

// Tally counts publishes by what their publishers were told.
type Tally struct{ Acknowledged, NotStored, Unknown int }

// Tally returns how it stands.
func (l *Ledger) Tally() Tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Tally{Acknowledged: l.counts[acknowledged], NotStored: l.counts[notStored], Unknown: l.counts[unknown]}
}

// placed returns a publish' topic, and its place if it is acknowledged.
func (l *Ledger) placed(number int) (event.Topic, place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[number].topic, l.entries[number].at
}

// snapshot returns what there is.
func (l *Ledger) snapshot() (entries []publish, odd []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries), slices.Clone(l.odd)
}
