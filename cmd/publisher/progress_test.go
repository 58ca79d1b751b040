package main

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tickertape/internal/client"
)

// TestProgressLines checks what somebody reads who keeps standard error in a
// file: a line now and then, each trouble once in a while, and the end.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(streams{err: &out}, false)
		n := int64(0)
		take := func(more int64) {
			time.Sleep(time.Second)
			n += more
			p.tell(client.Tally{Accepted: n}, nil, 0)
		}
		for range 20 {
			take(1000)
		}
		away := errors.New("refused")
		for range 12 {
			time.Sleep(time.Second)
			p.tell(client.Tally{Accepted: n}, away, 1234*time.Millisecond)
		}
		take(1000)
		p.end(client.Tally{Accepted: n, LastID: "1x"}, false)
		const want = `accepted 10000 (1000.0 a second)
accepted 20000 (1000.0 a second)
publisher: refused; next try in 1.23s, nothing is lost
publisher: refused; next try in 1.23s, nothing is lost
goes on: 21000 accepted
accepted 21000 (76.9 a second)
accepted 21000 in 33s, last id 1x
`
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})
}

func TestQuietProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(streams{err: &out}, true)
		time.Sleep(time.Minute)
		p.tell(client.Tally{Accepted: 5}, nil, 0)
		p.end(client.Tally{Accepted: 5}, false)
		if out.Len() > 0 {
			t.Errorf("quiet says %q", &out)
		}
		p.tell(client.Tally{}, errors.New("refused"), time.Second)
		p.end(client.Tally{Accepted: 5}, true)
		if want := "publisher: refused; next try in 1s, nothing is lost\naccepted 5 in 1m0s\n"; out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	})
}

func TestPacer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := newPacer(4)
		pass := func(n int) time.Duration {
			for range n {
				if err := p.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if took := pass(41); took != 10*time.Second {
			t.Errorf("41 at 4 a second took %v", took)
		}
		time.Sleep(500 * time.Millisecond) // a short delay is made up for
		if took := pass(4); took != 11*time.Second {
			t.Errorf("4 more, held up a little: %v", took)
		}
		time.Sleep(time.Hour) // a long one is not
		if took := pass(5) - time.Hour; took != 12*time.Second {
			t.Errorf("5 more, an hour later: %v", took)
		}
		p = newPacer(0)
		if took := pass(1000) - time.Hour; took != 12*time.Second {
			t.Errorf("without a limit: %v", took)
		}
	})
}
