package loop

import (
	"errors"
	"time"
)

// Source is what a connection is written from. A loop calls its methods one at
// a time, and goes on with other connections only when they return: they must
// never wait.
type Source interface {
	// Warm reads a little of all that Next is going to look at, and returns
	// what nobody needs. The loop calls it for many sources in a row: what is
	// in no cache, a processor fetches for all of them side by side, while
	// Next after Next would wait for it each time. It changes nothing.
	Warm() uint64
	// Next appends to dst what is to be written next, and says what comes
	// behind that. The slices stay as they are until Written; many
	// connections may share them.
	Next(dst [][]byte, now time.Time) ([][]byte, Then)
	// Written says that the kernel has taken all that Next has appended.
	Written(now time.Time)
	// Ended says that the connection is closed, and why. Nothing else is
	// called any more.
	Ended(why error)
}

// Then is what comes behind what is to be written. The first field that is set
// counts.
type Then struct {
	End  error     // the end of the connection, for this reason
	More bool      // Next has more already
	At   time.Time // until then nothing, unless the connection is woken
}

// Options are the same for all connections of a loop.
type Options struct {
	Stall time.Duration // a client that takes no byte for so long is cut
	Tick  time.Duration // times are kept about so exactly
}

// Why connections end, besides what their sources and the kernel say.
var (
	ErrLeft    = errors.New("the client has closed its side")
	ErrTalked  = errors.New("the client sent something behind its request")
	ErrStalled = errors.New("the client took nothing for too long")
	ErrCut     = errors.New("the connection was cut off")
	ErrFault   = errors.New("panic") // of the source; others go on
)
