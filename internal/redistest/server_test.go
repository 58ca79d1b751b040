package redistest_test

import (
	"fmt"
	"net"
	"os/exec"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/redistest"
)

func TestKilledServerComesBackEmpty(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	addr, run := s.Addr, runID(s)
	s.Must("SET", "a", "1")
	s.Kill()
	if _, err := net.Dial("tcp", s.Addr); err == nil {
		t.Error("a killed server takes connections")
	}
	s.Kill() // once more does nothing
	s.Restart()
	if got := s.Must("DBSIZE"); got != "0" {
		t.Errorf("%s keys after a kill, want none", got)
	}
	if s.Addr != addr || runID(s) == run {
		t.Errorf("now %s, run %s; before %s, run %s", s.Addr, runID(s), addr, run)
	}
}

func TestBackFromAnOldDump(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Must("SET", "a", "1")
	s.Save()
	s.Must("SET", "b", "2")
	s.Restart() // kills it first
	if got := s.Must("KEYS", "*"); got != "a" {
		t.Errorf("keys %q, want a alone", got)
	}
	s.Must("SET", "c", "3")
	if _, err := s.Do("SHUTDOWN"); err != nil {
		t.Logf("the answer of a server that goes: %v", err)
	}
	s.Restart()
	if got := s.Must("KEYS", "*"); got != "a" {
		t.Errorf("keys %q after an orderly end, want a alone", got)
	}
}

func TestAppendOnlyFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendonly", "yes")
	s.Must("SET", "a", "1")
	s.Restart()
	if got := s.Must("GET", "a"); got != "1" {
		t.Errorf("a is %q after a kill, want 1", got)
	}
	s.Kill()
	s.Wipe()
	s.Restart()
	if got := s.Must("DBSIZE"); got != "0" {
		t.Errorf("%s keys after a wipe, want none", got)
	}
	s.Must("SET", "b", "2")
	s.Restart()
	if got := s.Must("KEYS", "*"); got != "b" {
		t.Errorf("keys %q after a wipe and a kill, want b", got)
	}
}

func TestRestartWaitsForLoading(t *testing.T) {
	t.Parallel()
	// A millisecond per key, and answers in between.
	s := redistest.Start(t, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
	s.Must("EVAL", "for i = 1, 300 do redis.call('SET', i, string.rep('x', 1024)) end", "0")
	s.Save()
	s.Restart()
	if got, err := s.Do("DBSIZE"); got != "300" {
		t.Errorf("DBSIZE is %q, %v at once; want 300", got, err)
	}
}

func TestStoppedServerStandsStill(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := dial(t, s.Addr)
	s.Stop()
	c.send("PING")
	c.expectSilence()
	late := dial(t, s.Addr) // by the kernel
	late.send("PING")
	s.Cont()
	c.expect("+PONG")
	late.expect("+PONG")
	s.Stop()
	s.Restart()
	s.Must("PING")
}

func TestKillClients(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c, subscriber := dial(t, s.Addr), dial(t, s.Addr)
	c.send("PING")
	c.expect("+PONG")
	subscriber.send("SUBSCRIBE wire")
	subscriber.expect("*3", "$9", "subscribe", "$4", "wire", ":1")
	if n := s.KillClients("pubsub"); n != 1 {
		t.Errorf("killed %d subscribers, want 1", n)
	}
	subscriber.expectClose()
	c.send("PING")
	c.expect("+PONG")
	if n := s.KillClients("normal"); n != 1 {
		t.Errorf("killed %d clients, want 1", n)
	}
	c.expectClose()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--requirepass", "secret")
	if want := "redis://default:secret@" + s.Addr + "/0"; s.URL != want {
		t.Errorf("URL %s, want %s", s.URL, want)
	}
	s.Must("SET", "text", " two\nlines\n")
	if got := s.Must("GET", "text"); got != " two\nlines\n" {
		t.Errorf("got %q", got)
	}
	if got, err := s.Do("GET"); got != "" || err == nil || err.Error() != "ERR wrong number of arguments for 'get' command" {
		t.Errorf("got %q, %v for a GET of nothing", got, err)
	}
	var got any
	if err := s.JSON(&got, "EVAL", "return {1, {'a', false}, 'b'}", "0"); err != nil {
		t.Fatal(err)
	}
	if want := []any{1.0, []any{"a", nil}, "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := s.JSON(&got, "GET"); err == nil {
		t.Error("a GET of nothing is no error as JSON")
	}
	if got := s.Info("server", "redis_mode"); got != "standalone" {
		t.Errorf("the mode is %q", got)
	}
	if got := s.Info("server", "no_such_field"); got != "" {
		t.Errorf("a field that is not there is %q", got)
	}
	s.Kill()
	if got, err := s.Do("PING"); err == nil {
		t.Errorf("a dead server answers %q", got)
	}
}

// What answers on the server's port must be the server.
func TestRestartOnTakenPort(t *testing.T) {
	t.Parallel()
	fake := &failing{TB: t}
	s := redistest.Start(fake)
	s.Kill()
	host, port, _ := net.SplitHostPort(s.Addr)
	other := exec.CommandContext(t.Context(), "redis-server", "--bind", host, "--port", port, "--save", "", "--dir", t.TempDir())
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()
	await(t, "the other server answers", func() bool { _, err := s.Do("PING"); return err == nil })
	if said := fake.run(s.Restart); !strings.Contains(said, "the port is taken") {
		t.Errorf("Restart said %q", said)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	fake := &failing{TB: t}
	s := redistest.Start(fake)
	if said := fake.run(s.Wipe); !strings.Contains(said, "redis-server runs") {
		t.Errorf("Wipe of a running server said %q", said)
	}
	if said := fake.run(func() { s.Must("GET") }); !strings.Contains(said, "wrong number") {
		t.Errorf("Must said %q to an error", said)
	}
	s.Kill()
	if said := fake.run(s.Stop); !strings.Contains(said, "down") {
		t.Errorf("Stop of a dead server said %q", said)
	}
	if said := fake.run(func() { redistest.Start(fake, "--no-such-setting", "1") }); !strings.Contains(said, "no-such-setting") {
		t.Errorf("Start with a bad argument said %q", said)
	}
}

// A clock that is behind stays so, and time goes by all the same.
func TestLateServer(t *testing.T) {
	t.Parallel()
	s := redistest.StartLate(t, time.Hour)
	for range 2 {
		seconds, _, _ := strings.Cut(s.Must("EVAL", "return redis.call('TIME')", "0"), "\n")
		now, err := strconv.ParseInt(seconds, 10, 64)
		if behind := time.Since(time.Unix(now, 0)); err != nil || behind < time.Hour || behind > time.Hour+time.Minute {
			t.Errorf("the clock is behind by %v, %v", behind, err)
		}
		s.Must("SET", "a", "1", "PX", "50")
		await(t, "the key expires", func() bool { return s.Must("EXISTS", "a") == "0" })
		s.Restart()
	}
}

func runID(s *redistest.Server) string { return s.Info("server", "run_id") }

// failing takes the failures of a test that is to fail.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// run returns what the function failed with; nothing if it did not.
func (f *failing) run(fn func()) string {
	f.said = ""
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
	return f.said
}
