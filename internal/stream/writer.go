package stream

import (
	"errors"
	"fmt"
)

// Writer says who writes streams.
type Writer string

// The writers. What a client gets is the same.
const (
	Auto     Writer = "auto"     // Loop for the connections that it can serve, Portable for the others
	Portable Writer = "portable" // the goroutine that serves the request
	Loop     Writer = "loop"     // as Auto, but only where there are loops
)

// ErrNoLoops says that this system has no loops.
var ErrNoLoops = errors.New("there are loops on Linux only")

// Check says why streams cannot be written like that here.
func (w Writer) Check() error {
	switch w {
	case Auto, Portable:
		return nil
	case Loop:
		if !haveLoops {
			return ErrNoLoops
		}
		return nil
	}
	return fmt.Errorf("%q is no writer; use %s, %s or %s", w, Auto, Portable, Loop)
}
