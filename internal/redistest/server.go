// Package redistest runs real redis-server processes for tests, and a TCP
// proxy that harms the way to them: what a store and a network do on a bad
// day, at the moment that a test chooses.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/internal/proctest"
)

const (
	// startTime is how long a server may take until it answers, with all its
	// data loaded.
	startTime = 30 * time.Second
	// lookAgain is the pause between two looks at something that only tells
	// when asked.
	lookAgain = 10 * time.Millisecond
	// logTail is how much of a server's log a failed test shows, in bytes.
	logTail = 4 << 10
)

// Server is a redis-server process. It keeps nothing of its own accord:
// without a Save, or an append-only file asked for in Start's arguments, it
// comes back empty, and neither Kill nor the test's end writes anything.
//
// Do and JSON may be called by any goroutine at any time. All other methods
// fail the test on any error; they are for the test's own goroutine.
type Server struct {
	Addr string // host:port, the same for all its lives
	URL  string // redis://…/0, with the password if there is one

	t        testing.TB
	dir      string // its log, and the data directory
	args     func(*Server) []string
	env      []string // besides this process' own
	password string
	process  *proctest.Process // nil while it is down
}

// Start starts a server on a free port of 127.0.0.1 that ends with the test,
// and even if the test's process is killed. The arguments are redis-server's,
// such as "--appendonly", "yes"; port, address and directory are not theirs to
// choose. A test whose redis-server is missing fails.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, passwordIn(args), nil, plain(args))
}

// plain returns the arguments of a server that is for itself.
func plain(args []string) func(*Server) []string {
	return func(*Server) []string {
		// Of an option that comes twice, the last one counts.
		return slices.Concat([]string{"--save", "", "--appendonly", "no"}, args, []string{"--logfile", ""})
	}
}

// Leads has the server follow nobody when it is started again: its arguments may
// name a primary that it has taken the place of.
func (s *Server) Leads() {
	before := s.args
	s.args = func(s *Server) []string {
		args := before(s)
		if i := slices.Index(args, "--replicaof"); i >= 0 {
			args = slices.Delete(slices.Clone(args), i, i+2)
		}
		return args
	}
}

// start is Start with more environment, and with arguments that the function
// returns for each life of the server; port, address and directory follow
// them.
func start(t testing.TB, password string, env []string, args func(*Server) []string) *Server {
	t.Helper()
	for _, program := range [...]string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: make test installs it", program)
		}
	}
	s := &Server{t: t, dir: t.TempDir(), args: args, env: env, password: password}
	s.makeData()
	t.Cleanup(s.end)
	err := proctest.ErrPortTaken
	for tries := 0; errors.Is(err, proctest.ErrPortTaken) && tries < 20; tries++ {
		if s.Addr, err = proctest.FreeAddr(); err == nil {
			err = s.launch()
		}
	}
	if err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	s.URL = "redis://" + s.Addr + "/0"
	if s.password != "" {
		s.URL = "redis://default:" + s.password + "@" + s.Addr + "/0"
	}
	return s
}

// Kill ends the server as a power cut does, frozen or not, and returns when
// it is dead. Killing a dead server does nothing.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Kill(); err != nil {
		s.t.Fatalf("kill redis-server: %v", err)
	}
	s.process = nil
}

// Restart starts the server again, on its old port, from what its directory
// holds; one that still runs is killed first. It returns when the server
// answers, with all its data loaded.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if err := s.launch(); err != nil {
		s.t.Fatalf("restart redis-server: %v", err)
	}
}

// Stop freezes the server: connections stay, the kernel even takes new ones
// and what they send, and nothing answers. It returns when the server stands.
func (s *Server) Stop() {
	s.t.Helper()
	s.do("stop", (*proctest.Process).Stop)
}

// Cont lets a frozen server go on, first of all with what came meanwhile.
func (s *Server) Cont() {
	s.t.Helper()
	s.do("cont", (*proctest.Process).Cont)
}

// do does something to the process.
func (s *Server) do(what string, do func(*proctest.Process) error) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("%s redis-server: it is down", what)
	}
	if err := do(s.process); err != nil {
		s.t.Fatalf("%s redis-server: %v", what, err)
	}
}

// Save writes the data to the dump that the server starts from when it has no
// append-only file. So a Kill and a Restart some time later bring it back as
// it was at the Save.
func (s *Server) Save() {
	s.t.Helper()
	s.Must("SAVE")
}

// Wipe removes the files of a server that is down: it comes back empty.
func (s *Server) Wipe() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatal("wipe: redis-server runs")
	}
	if err := os.RemoveAll(s.data()); err != nil {
		s.t.Fatal(err)
	}
	s.makeData()
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) makeData() {
	s.t.Helper()
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// launch starts the process and waits until it answers as itself: on a port
// that was taken in the meantime, somebody else does.
func (s *Server) launch() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	args := append(s.args(s), "--bind", "127.0.0.1", "--port", port, "--dir", s.data(), "--daemonize", "no")
	output, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command("redis-server", args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = output, output
	p, err := proctest.Start(cmd)
	_ = output.Close() // the process has its own
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := s.awaitReady(ctx, p); err != nil {
		return errors.Join(err, p.Kill())
	}
	s.process = p
	return nil
}

func (s *Server) awaitReady(ctx context.Context, p *proctest.Process) error {
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		info, err := s.Do("INFO")
		if err == nil && strings.Contains(info, fmt.Sprintf("process_id:%d\r", p.ID())) && !strings.Contains(info, "\nloading:1\r") {
			return nil
		}
		select {
		case <-look.C:
		case <-p.Ended():
			if strings.Contains(s.log(), "Failed listening on port") {
				return proctest.ErrPortTaken
			}
			return fmt.Errorf("redis-server ended: %s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("no answer in %v (last: %w)", startTime, err)
		}
	}
}

func (s *Server) end() {
	s.Kill()
	if s.t.Failed() {
		s.t.Logf("the log of redis-server %s:\n%s", s.Addr, s.log())
	}
}

// log returns the end of the server's log.
func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

func passwordIn(args []string) string {
	for i, arg := range args {
		if arg == "--requirepass" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
