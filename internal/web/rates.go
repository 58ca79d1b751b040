package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/hub"
)

const (
	// maxPause is how long a stream in waits at most before it looks whether its
	// caller may still publish.
	maxPause = time.Second
	// partTime is how long it takes until a caller may publish as many messages as a
	// stream in publishes at once, so that it flows.
	partTime = 100 * time.Millisecond
)

// errLeft says that a client is gone whose messages had to wait.
var errLeft = errors.New("the client left while its messages waited for its rate")

// purse is what a caller pays with for what it publishes.
type purse struct {
	bus hub.Bus
	event.Allowance
	who string
}

// purseOf returns the caller's. Nobody is counted without a credential, who is not
// counted by address.
func (s *Server) purseOf(c *gin.Context, caller *auth.Caller) purse {
	p := purse{bus: s.bus, Allowance: caller.Allowance, who: caller.Name}
	if caller.Named() || p.free() {
		return p
	}
	network := s.door.client(c.Request).network
	if !network.Counts() {
		return purse{}
	}
	p.who = "the address " + network.String()
	p.Name = p.who
	return p
}

// free reports whether the caller publishes as fast as it likes.
func (p purse) free() bool { return p.PerSecond == 0 }

// pay pays for so many messages, or says when the caller may publish them.
func (p purse) pay(ctx context.Context, n int) error {
	if p.free() {
		return nil
	}
	err := p.bus.Spend(ctx, p.Allowance, n)
	if e, ok := errors.AsType[*event.RateError](err); ok {
		return &limitError{limit: LimitPublish, cause: fmt.Sprintf("%s publishes faster than it may: %g messages a second", p.who, p.PerSecond), wait: e.Wait}
	}
	return err
}

// part is how many messages of a stream go at once; 0: any number.
func (p purse) part() int {
	if p.free() {
		return 0
	}
	return max(1, int(p.PerSecond*partTime.Seconds()))
}

// brake slows a stream in down to its caller's rate.
type brake struct {
	purse
	bounded bool          // the client does not wait for ever
	left    time.Duration // that it waits, then
}

func newBrake(p purse, h http.Header) *brake {
	patience := patienceOf(h)
	return &brake{purse: p, bounded: patience > 0, left: patience}
}

// patienceOf returns for how long a client prefers to wait (RFC 7240, section 4.3); 0:
// for ever.
func patienceOf(h http.Header) time.Duration {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if seconds, err := strconv.ParseUint(value, 10, 31); err == nil && strings.EqualFold(name, "wait") {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return 0
}

// await pays for a part of a stream: it waits until the caller may publish it, unless
// the client prefers to be told, or the stream ends before in a way that has nobody
// wait for the rest.
func (s *Server) await(c *gin.Context, in *intake, g ingest, n int) error {
	for slowed := false; ; slowed = true {
		if err := g.caller.Live(time.Now()); err != nil {
			return err
		}
		ctx, cancel := busContext(c)
		err := g.brake.pay(ctx, n)
		cancel()
		limited, ok := errors.AsType[*limitError](err)
		if !ok {
			return err
		}
		if !slowed {
			s.counts.slow()
		}
		pause := min(maxPause, limited.wait)
		if g.brake.left -= pause; g.brake.bounded && g.brake.left < 0 {
			return err
		}
		if err := in.pause(c.Request.Context(), pause); err != nil {
			return err
		}
	}
}
