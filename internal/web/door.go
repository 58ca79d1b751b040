package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/limit"
	"tickertape/internal/stream"
)

// door lets clients in as far as limits allow.
type door struct {
	limits   Limits
	networks *limit.Shares[limit.Network]
	subjects *limit.Shares[string]
	requests *limit.Rates[limit.Network]
	opens    *limit.Admission
	reads    *limit.Budget
	readers  *limit.Shares[limit.Network] // of reads
	intake   *limit.Budget
}

func newDoor(l Limits) *door {
	return &door{limits: l, networks: limit.NewShares[limit.Network](l.PerAddress), subjects: limit.NewShares[string](l.PerSubject),
		requests: limit.NewRates[limit.Network](l.Requests), opens: limit.NewAdmission(l.Opens),
		reads: limit.NewBudget(int64(l.Reads)), readers: limit.NewShares[limit.Network](max(1, l.Reads/readersShare)), intake: limit.NewBudget(int64(l.IntakeSize))}
}

// limitError says that a client has all that it may have for now.
type limitError struct {
	limit string // as it is counted
	away  error  // what that is to a stream
	cause string
	wait  time.Duration // until it may try again
}

func (e *limitError) Error() string { return e.cause }

// around returns a time ± 20 %: those of whom all are told the same shall not come back
// at the same moment.
func around(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5) }

// shareWait is when somebody may try again who has all that it may until one of its
// streams ends.
const shareWait = 10 * time.Second

// seat is what an open stream, out or in, has of its client's shares. It is given
// back by leave, once.
type seat struct {
	door    *door
	network limit.Network
	subject string
}

// sit takes a share of the network's.
func (d *door) sit(n limit.Network) (seat, error) {
	if n.Counts() && !d.networks.Enter(n) {
		return seat{}, &limitError{LimitAddress, stream.ErrAddress, fmt.Sprintf("the address %s has as many streams open as it may: %d", n, d.limits.PerAddress), around(shareWait)}
	}
	return seat{door: d, network: n}, nil
}

// of takes one of the subject's, too.
func (s *seat) of(subject string) error {
	if subject == "" {
		return nil
	}
	if !s.door.subjects.Enter(subject) {
		return &limitError{LimitSubject, stream.ErrSubject, fmt.Sprintf("tokens with this subject have as many streams open as they may: %d", s.door.limits.PerSubject), around(shareWait)}
	}
	s.subject = subject
	return nil
}

func (s seat) leave() {
	if s.network.Counts() {
		s.door.networks.Leave(s.network)
	}
	if s.subject != "" {
		s.door.subjects.Leave(s.subject)
	}
}

// ask counts a request of the network's, and says when it is one too many.
func (d *door) ask(n limit.Network) error {
	if !n.Counts() {
		return nil
	}
	return d.tooOften(n, d.requests.Take(n))
}

// suspect says when a network has asked too often, and counts nothing.
func (d *door) suspect(n limit.Network) error {
	if !n.Counts() {
		return nil
	}
	return d.tooOften(n, d.requests.Wait(n))
}

func (d *door) tooOften(n limit.Network, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	return &limitError{LimitRequests, stream.ErrAddress, fmt.Sprintf("the address %s asks more often than it may: %g times a second", n, d.limits.Requests), around(max(time.Second, wait))}
}

// admit lets a client to its stream, before anything is done for it that costs: as
// often as its address may ask, as many as that may have, and as many a second as
// the node opens. Who is let in has a seat.
func (d *door) admit(n limit.Network) (seat, error) {
	if err := d.ask(n); err != nil {
		return seat{}, err
	}
	taken, err := d.sit(n)
	if err != nil {
		return taken, err
	}
	if away, ok := d.opens.Enter(); !ok {
		taken.leave()
		return seat{}, &limitError{LimitOpens, stream.ErrBusy, stream.ErrBusy.Error(), away}
	}
	return taken, nil
}

// readersShare is which part of a node's reads one address may have: this many times
// as much has the node.
const readersShare = 8

// read counts in a request that reads topics, and so may take a mebibyte or two until
// its answer is written. Who was counted in says when that is over.
func (d *door) read(n limit.Network) (done func(), err error) {
	if err := d.ask(n); err != nil {
		return nil, err
	}
	if n.Counts() && !d.readers.Enter(n) {
		return nil, &limitError{LimitReads, stream.ErrAddress, fmt.Sprintf("the address %s reads as much at once as it may", n), time.Second}
	}
	leave := func() {
		if n.Counts() {
			d.readers.Leave(n)
		}
	}
	if !d.reads.Take(1) {
		leave()
		return nil, &event.UnavailableError{RetryAfter: time.Second, Err: errFullReads}
	}
	return func() {
		d.reads.Give(1)
		leave()
	}, nil
}

// sitDown gives a stream in its seat.
func (d *door) sitDown(r *http.Request, caller *auth.Caller) (seat, error) {
	at, err := d.sit(d.client(r).network)
	if err == nil {
		err = at.of(caller.Subject)
	}
	return at, err
}
