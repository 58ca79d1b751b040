//go:build linux

// Package server starts the servers that are measured, each anew for each
// measurement and pinned to a core, and tells what they take of the machine.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tickertape/bench/internal/load"
	"tickertape/internal/proctest"
)

// Server is a running server.
type Server struct {
	Name   string
	Target load.Target

	process *proctest.Process // nil if it is somebody else's
	pid     int
	redis   *proctest.Process // nil without one
	ready   string            // path that is answered 200 once it works; none: ""
	log     string
}

// Known reports whether its process is known, and so its usage.
func (s *Server) Known() bool { return s.pid != 0 }

// HasRedis reports whether it has a Redis.
func (s *Server) HasRedis() bool { return s.redis != nil }

// pids returns the processes that it consists of.
func (s *Server) pids() []int {
	if s.pid == 0 {
		return nil
	}
	return family(s.pid)
}

// End kills the server's processes, and its Redis. Somebody else's go on.
func (s *Server) End() error {
	var errs []error
	if s.process != nil {
		pids := s.pids()
		errs = append(errs, s.process.Kill())
		for _, child := range pids[1:] {
			// It may have ended with its parent.
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
		}
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Kill())
	}
	return errors.Join(errs...)
}

// startTime is how long a server may take until it works.
const startTime = 30 * time.Second

// launch starts a program on the lab's core. Its output goes to a file.
func (l *Lab) launch(name string, args ...string) (*proctest.Process, string, error) {
	if l.core >= 0 {
		args = append([]string{"taskset", "--cpu-list", fmt.Sprint(l.core)}, args...)
	}
	log, err := os.Create(filepath.Join(l.dir, name+".log"))
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, l.dir
	process, err := proctest.Start(cmd)
	return process, log.Name(), errors.Join(err, log.Close())
}

// works waits until the server is ready and takes a message: what is behind
// it may need longer than itself.
func (s *Server) works(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var err error
	for {
		if err = errors.Join(s.tryReady(ctx), s.tryPublish(ctx)); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not work: %w%s", s.Name, err, tail(s.log))
		case <-s.ended():
			return fmt.Errorf("%s has ended%s", s.Name, tail(s.log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) ended() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Ended()
}

// probe is a topic that no measurement uses.
const probe = "65535"

// tryReady asks the server whether it is ready, if it can be asked.
func (s *Server) tryReady(ctx context.Context) error {
	if s.ready == "" {
		return nil
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+s.Target.Addr+s.ready, nil)
	if err != nil {
		return err
	}
	return try(ctx, request)
}

// tryPublish publishes a message.
func (s *Server) tryPublish(ctx context.Context) error {
	fill := strings.NewReplacer("{topic}", probe, "{payload}", "probe")
	body := s.Target.Body
	if body == "" {
		body = "{payload}"
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+s.Target.Addr+fill.Replace(s.Target.Publish), strings.NewReader(fill.Replace(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/plain")
	if s.Target.Type != "" {
		request.Header.Set("Content-Type", s.Target.Type)
	}
	for _, h := range s.Target.Headers {
		name, value, _ := strings.Cut(h, ":")
		request.Header.Set(name, strings.TrimSpace(value))
	}
	return try(ctx, request)
}

// try sends a request on a connection of its own, and fails unless all is
// well.
func try(ctx context.Context, request *http.Request) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request.Close = true
	response, err := http.DefaultClient.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // nothing more is read
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what there is of it
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// tail returns the end of a log, for an error's text.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "; its log ends with:\n" + string(text[max(0, len(text)-500):])
}
