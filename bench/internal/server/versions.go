//go:build linux

package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Versions returns what is measured with, a line each. What is missing has
// none.
func (l *Lab) Versions(ctx context.Context) (lines []string) {
	for _, v := range []struct {
		name string
		args []string
	}{
		{"hub", []string{l.hub, "--version"}},
		{"compiler of the floor", []string{"cc", "--version"}},
		{"nginx", []string{"nginx", "-v"}},
		{"Nchan", []string{"dpkg-query", "--show", "--showformat=${Version}", "libnginx-mod-nchan"}},
		{"Redis", []string{"redis-server", "--version"}},
	} {
		out, err := exec.CommandContext(ctx, v.args[0], v.args[1:]...).CombinedOutput()
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		line = strings.TrimPrefix(line, "nginx version: ")
		line, _, _ = strings.Cut(line, " sha=")
		lines = append(lines, v.name+": "+line)
	}
	return append(lines, "Go: "+runtime.Version())
}

// Machine says in general words what this is measured on.
func Machine() string {
	model, cores := "processor", 0
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			name, value, _ := strings.Cut(line, ":")
			switch strings.TrimSpace(name) {
			case "processor":
				cores++
			case "model name":
				model = strings.TrimSpace(value)
			}
		}
	}
	var system unix.Sysinfo_t
	var name unix.Utsname
	if unix.Sysinfo(&system) != nil || unix.Uname(&name) != nil {
		return fmt.Sprintf("%d cores of %s", cores, model)
	}
	memory := float64(system.Totalram) * float64(system.Unit) / (1 << 30)
	release, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	return fmt.Sprintf("%d cores (%s), %.0f GiB, Linux %s", cores, model, memory, release)
}
