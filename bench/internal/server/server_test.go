//go:build linux

package server_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/bench/internal/labtest"
	"tickertape/bench/internal/load"
	"tickertape/bench/internal/server"
	"tickertape/internal/proctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFloorStartsAndEnds(t *testing.T) {
	t.Parallel()
	s, err := labtest.New(t, server.Options{Hub: "not measured"}).Start(t.Context(), server.Floor, true)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Usage()
	if err != nil || u.PSS <= 0 || u.CPU < 0 || s.HasRedis() {
		t.Errorf("%+v, %v", u, err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", s.Target.Addr); err == nil {
		_ = c.Close()
		t.Error("it goes on behind its end")
	}
	if _, err := s.Usage(); err == nil {
		t.Error("a server that has ended has a usage")
	}
}

// A server that does not take messages does not start, and its log tells why.
func TestServerThatEnds(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "hub")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no such setting\nexit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := server.NewLab(t.Context(), server.Options{Source: filepath.Join("..", "..", ".."), Hub: program, Core: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start(t.Context(), server.Hub, false); err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// foreign serves what is somebody else's.
func foreign(t *testing.T, pid int) *server.Foreign {
	t.Helper()
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what there is of it
		if r.Method != http.MethodPost || r.URL.Path != "/hub" || r.Header.Get("Authorization") != "Bearer x" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || !strings.HasPrefix(string(body), "topic=t") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(running.Close)
	return &server.Foreign{PID: pid, Target: load.Target{
		Addr: running.Listener.Addr().String(), Publish: "/hub", Body: "topic=t{topic}&data={payload}",
		Type: "application/x-www-form-urlencoded", Headers: []string{"Authorization: Bearer x"},
	}}
}

// A server's usage has its children's in it, and an end leaves somebody
// else's server alone.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	// The child ends with its parent, which only waits.
	parent, err := proctest.Start(exec.Command("sh", "-c", "sh -c 'while kill -0 $PPID; do :; done' & wait"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := parent.Kill(); err != nil {
			t.Error(err)
		}
	}()
	s, err := labtest.New(t, server.Options{Hub: "not measured", Other: foreign(t, parent.ID())}).Start(t.Context(), server.Other, false)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		u, err := s.Usage()
		if err != nil || time.Now().After(end) {
			t.Fatalf("%+v, %v", u, err)
		}
		if u.CPU >= 50*time.Millisecond && u.PSS > 0 {
			break
		}
		time.Sleep(time.Millisecond) // until it has worked so long
	}
	if err := s.End(); err != nil {
		t.Error(err)
	}
	if _, err := s.Usage(); err != nil {
		t.Errorf("it was ended: %v", err)
	}
}
