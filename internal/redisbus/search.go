package redisbus

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// askTime is how long all may take to say where the primary is.
	askTime = time.Second
	// graceTime is how long the rest are waited for once more than half have
	// said it, so that one who is away does not hold up a node for longer.
	graceTime = 200 * time.Millisecond
	// maxAsked is how many nodes of each list are asked, of a Cluster that may
	// have hundreds.
	maxAsked = 5
)

// search asks those who may know where the primary is: all at once, each over
// a connection that it keeps.
type search struct {
	options redis.Options // of the connections, but for the address
	hosts   []string      // that the URL names
	one     func(context.Context, *redis.Client) (testimony, error)
	said    string // if nobody answers
	advice  []hint

	clients map[string]*redis.Client
	asking  sync.WaitGroup

	// What the last testimony said of a Cluster.
	near, far []string
	deaf      bool // nobody answered the last time
}

// testimony is what one of them says.
type testimony struct {
	view
	// near are the nodes of a Cluster that have the primary's data, or had it;
	// far are the others.
	near, far []string
}

// newSearch returns a search by connections with these options.
func newSearch(t target, o redis.Options, dial dialFunc) *search {
	o.Dialer = dial
	o.DB = 0
	o.PoolSize = oneConnection
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = askTime, askTime, askTime
	return &search{options: o, hosts: t.hosts, clients: map[string]*redis.Client{}}
}

// close waits until all has ended that views began. Its context has to have
// ended.
func (s *search) close() {
	s.seat(nil)
	s.asking.Wait()
}

// views returns what they say, and how many were asked. If nobody says
// anything, the error tells why. It takes askTime at most, and has one caller
// at a time.
func (s *search) views(ctx context.Context) (list []view, asked int, err error) {
	addrs := s.whom()
	testimonies, err := s.ask(ctx, addrs)
	s.deaf = len(testimonies) == 0
	if s.deaf {
		return nil, len(addrs), &searchError{s.said, s.advice, err}
	}
	latest := testimonies[0]
	for _, t := range testimonies {
		list = append(list, t.view)
		if t.epoch > latest.epoch {
			latest = t
		}
	}
	s.near, s.far = latest.near, latest.far
	return list, len(addrs), nil
}

// whom returns who is asked: of a Cluster those who have to do with the
// primary, and some that the URL names. If none of these answers, others are
// next.
func (s *search) whom() []string {
	addrs := slices.Concat(s.near[:min(len(s.near), maxAsked)], some(s.hosts))
	if s.deaf {
		addrs = append(addrs, some(s.far)...)
	}
	slices.Sort(addrs)
	return slices.Compact(addrs)
}

func some(addrs []string) []string {
	if len(addrs) <= maxAsked {
		return addrs
	}
	picked := make([]string, maxAsked)
	for i, n := range rand.Perm(len(addrs))[:maxAsked] {
		picked[i] = addrs[n]
	}
	return picked
}

// ask returns what they say, in the order in which that comes. The error tells
// why others say nothing.
func (s *search) ask(ctx context.Context, addrs []string) (said []testimony, failed error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	heard, refused := make(chan testimony, len(addrs)), make(chan error, len(addrs))
	for _, client := range s.seat(addrs) {
		s.asking.Go(func() {
			if t, err := s.one(ctx, client); err != nil {
				refused <- err
			} else {
				heard <- t
			}
		})
	}
	var grace <-chan time.Time
	for range addrs {
		select {
		case t := <-heard:
			if said = append(said, t); len(said) == len(addrs)/2+1 {
				grace = time.After(graceTime)
			}
		case err := <-refused:
			if failed == nil || answered(err) { // what somebody says tells more than silence
				failed = err
			}
		case <-grace:
			return said, failed
		case <-ctx.Done():
			if failed == nil {
				failed = ctx.Err()
			}
			return said, failed
		}
	}
	return said, failed
}

// seat returns clients of these, and closes those of all others.
func (s *search) seat(addrs []string) []*redis.Client {
	for addr, client := range s.clients {
		if !slices.Contains(addrs, addr) {
			_ = client.Close() // whoever still asks it is not heard any more
			delete(s.clients, addr)
		}
	}
	clients := make([]*redis.Client, len(addrs))
	for i, addr := range addrs {
		if s.clients[addr] == nil {
			o := s.options
			o.Addr = addr
			s.clients[addr] = redis.NewClient(&o)
		}
		clients[i] = s.clients[addr]
	}
	return clients
}

// searchError says that nobody told where the primary is, and why.
type searchError struct {
	said   string
	advice []hint
	cause  error
}

func (e *searchError) Error() string { return e.said + ": " + e.cause.Error() }
func (e *searchError) Unwrap() error { return e.cause }
