//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"tickertape/bench/internal/load"
	"tickertape/internal/proctest"
)

// The servers that a Lab knows.
const (
	Hub   = "hub"
	Floor = "floor"
	Nchan = "nchan"
	Other = "other"
)

// Lab is where servers are measured.
type Lab struct {
	dir   string // for their files
	core  int    // which is theirs; -1: all
	hub   string // programs
	floor string
	nchan string // nginx's module
	other *Foreign
}

// Foreign is a server that runs already.
type Foreign struct {
	Target load.Target
	PID    int // 0: its CPU and memory are not known
}

// Options say what a Lab is made of.
type Options struct {
	Source string   // the folder that the repository is in
	Hub    string   // program; built from the source if ""
	Nchan  string   // file of nginx's module
	Core   int      // for servers; -1: all
	Other  *Foreign // may be nil
}

// NewLab builds what there is to build.
func NewLab(ctx context.Context, o Options) (_ *Lab, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	l := &Lab{dir: dir, core: o.Core, hub: filepath.Join(dir, "hub"), floor: filepath.Join(dir, "floor"), nchan: o.Nchan, other: o.Other}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if o.Hub != "" {
		if l.hub, err = filepath.Abs(o.Hub); err != nil { // programs run elsewhere
			return nil, err
		}
	} else {
		if err := build(ctx, o.Source, "go", "build", "-o", l.hub, "./cmd/hub"); err != nil {
			return nil, err
		}
	}
	return l, build(ctx, o.Source, "cc", "-O2", "-o", l.floor, "bench/floor/floor.c")
}

func build(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	return nil
}

// Close removes the servers' files.
func (l *Lab) Close() error { return os.RemoveAll(l.dir) }

// Start starts a server, with a Redis of its own if it shall use one, and
// returns when it works.
func (l *Lab) Start(ctx context.Context, name string, withRedis bool) (_ *Server, err error) {
	s := &Server{Name: name}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.End())
		}
	}()
	redis := ""
	if withRedis && (name == Hub || name == Nchan) {
		if redis, err = l.startRedis(s); err != nil {
			return nil, err
		}
	}
	if name == Other {
		if l.other == nil {
			return nil, fmt.Errorf("%s: no address was given", name)
		}
		s.Target, s.pid = l.other.Target, l.other.PID
		return s, s.works(ctx)
	}
	if s.Target.Addr, err = proctest.FreeAddr(); err != nil {
		return nil, err
	}
	switch name {
	case Hub:
		err = l.startHub(s, redis)
	case Floor:
		err = l.startFloor(s)
	case Nchan:
		err = l.startNchan(s, redis)
	default:
		err = fmt.Errorf("no server is called %q", name)
	}
	if err != nil {
		return nil, err
	}
	s.pid = s.process.ID()
	return s, s.works(ctx)
}

// startHub starts the hub as its users do: by its defaults and what the
// environment says, such as HUB_WRITER.
func (l *Lab) startHub(s *Server, redis string) (err error) {
	s.ready = "/readyz"
	s.Target.Publish = "/publish?topic=bench.{topic}"
	s.Target.Events = "/events?topic=bench.{topic}"
	s.Target.Stream = "/publish"
	s.Target.Line = `{"topic":"bench.{topic}","data":"{payload}"}`
	args := []string{l.hub, "--addr", s.Target.Addr, "--admin-addr", "none", "--open-rate", "0"}
	if redis != "" {
		args = append(args, "--redis", "redis://"+redis+"/0")
	}
	s.process, s.log, err = l.launch(s.Name, args...)
	return err
}

func (l *Lab) startFloor(s *Server) (err error) {
	s.Target.Publish = "/publish?topic={topic}"
	s.Target.Events = "/events?topic={topic}"
	_, port, err := net.SplitHostPort(s.Target.Addr)
	if err != nil {
		return err
	}
	s.process, s.log, err = l.launch(s.Name, l.floor, port)
	return err
}

// startRedis starts a Redis that keeps nothing on disk, on the same core.
func (l *Lab) startRedis(s *Server) (addr string, err error) {
	if addr, err = proctest.FreeAddr(); err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	s.redis, _, err = l.launch("redis", "redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", l.dir)
	return addr, err
}
