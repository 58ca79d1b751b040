package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// fileEvery and addressEvery are how often keys are read anew.
	fileEvery    = 2 * time.Second
	addressEvery = 5 * time.Minute
	// soonest is how often they are at most, when tokens name a key that is not
	// known: anybody can make one up.
	soonest = 10 * time.Second
	// loadTime is how long one reading may take.
	loadTime = 5 * time.Second
	// maxKeyFile is the most bytes of a set of keys.
	maxKeyFile = 1 << 20
)

// source reads the keys of tokens, and reads them again from time to time: they
// are exchanged while the hub runs. What cannot be read leaves the last ones as
// they are.
type source struct {
	name   string
	secret []key
	read   func(context.Context) ([]byte, error)
	every  time.Duration
	log    *slog.Logger

	current atomic.Pointer[keys]
	sum     [sha256.Size]byte // of what was read last; the loop's own
	failed  string            // how the last reading failed; the loop's own
	asked   chan chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// openSource begins to read the keys. A file must be readable now.
func openSource(name string, secret []byte, log *slog.Logger) (*source, error) {
	s := &source{name: name, log: log, every: fileEvery, asked: make(chan chan struct{}), done: make(chan struct{})}
	if len(secret) > 0 {
		algorithms, err := algorithmsOf(secret)
		if err != nil {
			return nil, err
		}
		s.secret = []key{{raw: secret, algorithms: algorithms}}
	}
	switch {
	case name == "" && secret == nil:
		return nil, errors.New("tokens need keys: a file, an https address or a secret")
	case strings.Contains(name, "://"):
		read, err := fetcher(name)
		if err != nil {
			return nil, err
		}
		s.read, s.every = read, addressEvery
	case name != "":
		s.read = func(context.Context) ([]byte, error) { return readFile(name) }
	}
	s.current.Store(&keys{set: s.secret, read: s.read == nil, verified: newVerified()})
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.read == nil {
		close(s.done)
		return s, nil
	}
	if err := s.load(ctx); err != nil && s.every == fileEvery {
		stop()
		return nil, err
	}
	go s.run(ctx)
	return s, nil
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s is over the limit of %d KiB", name, maxKeyFile>>10)
	}
	return os.ReadFile(name)
}

func (s *source) close() {
	s.stop()
	<-s.done
}

// now returns the keys that count.
func (s *source) now() *keys { return s.current.Load() }

// again returns the keys after they were read anew, unless that was just done.
func (s *source) again(ctx context.Context, known *keys) *keys {
	read := make(chan struct{})
	select {
	case s.asked <- read:
	case <-s.done:
		return known
	case <-ctx.Done():
		return known
	}
	select {
	case <-read:
	case <-s.done:
	case <-ctx.Done():
	}
	return s.now()
}

// run reads the keys from time to time and on demand, until it is closed.
func (s *source) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	last := time.Now()
	for {
		var reply chan struct{}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case reply = <-s.asked:
		}
		if reply == nil || time.Since(last) >= min(soonest, s.every) {
			_ = s.load(ctx) // it has told
			last = time.Now()
		}
		if reply != nil {
			close(reply)
		}
	}
}

// load reads the keys once, and says in the log when that begins to fail.
func (s *source) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	text, err := s.read(ctx)
	var set []key
	sum := sha256.Sum256(text)
	switch {
	case err != nil:
	case bytes.Equal(sum[:], s.sum[:]):
		s.failed = ""
		return nil
	default:
		set, err = parseKeys(text)
	}
	if err != nil {
		err = fmt.Errorf("the keys of tokens, from %s: %w", s.name, err)
		if err.Error() != s.failed && ctx.Err() != context.Canceled {
			s.log.Warn("the keys of tokens cannot be read; those from before go on to count", slog.Any("error", err))
		}
		s.failed = err.Error()
		return err
	}
	s.sum, s.failed = sum, ""
	s.current.Store(&keys{set: append(set, s.secret...), read: true, verified: newVerified()})
	s.log.Info("keys of tokens read", slog.String("from", s.name), slog.Int("keys", len(set)))
	return nil
}
