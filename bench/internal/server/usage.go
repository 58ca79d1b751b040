//go:build linux

package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: Linux shows hundredths of a second
// on all machines of today.
const tick = 10 * time.Millisecond

// Usage is what a server has taken of its machine.
type Usage struct {
	CPU   time.Duration // since its start, of all of its processes
	Redis time.Duration // of its Redis
	PSS   int64         // bytes, its share of pages that others have too
}

// Since returns the growth since an earlier usage.
func (u Usage) Since(v Usage) Usage {
	return Usage{CPU: u.CPU - v.CPU, Redis: u.Redis - v.Redis, PSS: u.PSS - v.PSS}
}

// Usage looks at the server's processes.
func (s *Server) Usage() (u Usage, err error) {
	if u.CPU, u.PSS, err = usageOf(s.pids()); err != nil {
		return u, fmt.Errorf("%s: %w", s.Name, err)
	}
	if s.redis != nil {
		if u.Redis, _, err = usageOf([]int{s.redis.ID()}); err != nil {
			return u, fmt.Errorf("its Redis: %w", err)
		}
	}
	return u, nil
}

func usageOf(pids []int) (cpu time.Duration, pss int64, err error) {
	for _, pid := range pids {
		c, err := cpuOf(pid)
		if err != nil {
			return 0, 0, err
		}
		p, err := pssOf(pid)
		if err != nil {
			return 0, 0, err
		}
		cpu, pss = cpu+c, pss+p
	}
	return cpu, pss, nil
}

var errForm = errors.New("not in the form of proc(5)")

func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; the state is the third field.
	behind := stat[bytes.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(string(behind))
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat: %w", errForm)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

func pssOf(pid int) (int64, error) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(rollup), "\nPss:")
	line, _, found := strings.Cut(rest, " kB\n")
	if !found {
		return 0, fmt.Errorf("smaps_rollup: %w", errForm)
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kilobytes << 10, err
}

// family returns a process, its children, theirs and so on. One that has
// ended has none.
func family(pid int) []int {
	pids := []int{pid}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is right
	for _, file := range files {
		list, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		for _, field := range strings.Fields(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, family(child)...)
			}
		}
	}
	return pids
}
