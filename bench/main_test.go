//go:build linux

package main_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/proctest"
)

// program builds the tool.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// little is a run of the floor alone on any core.
func little(t *testing.T, more ...string) []string {
	return append([]string{
		program(t), "--source=..", "--hub=not-measured", "--server=floor", "--case=fanout", "--rounds=2",
		"--share=0.01", "--server-core=-1", "--tool-core=-1",
	}, more...)
}

// A run prints its table, and writes it down if it shall.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := little(t, "--time=50ms", "--out", dir)
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	page, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"| CPU per delivery ", "| p99 ≤ Nchan's "} {
		if !strings.Contains(string(out), part) || !strings.Contains(string(page), part) {
			t.Errorf("no %q in\n%s\nor in\n%s", part, out, page)
		}
	}
	for _, private := range []string{os.TempDir(), "/home", "/root", "/work"} {
		if strings.Contains(string(page), private) {
			t.Errorf("the page knows %s", private)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "results.svg")); err != nil {
		t.Error(err)
	}
}

// An interrupted run takes its servers along.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	args := little(t, "--time=10m")
	tmp := t.TempDir() // where its files go
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	cmd.Stderr = write
	tool, err := proctest.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	told := bufio.NewScanner(read)
	if !told.Scan() || !strings.Contains(told.Text(), "round 1 of 2: floor") {
		t.Fatalf("it says %q", told.Text())
	}
	floor := await(t, tmp)
	if err := tool.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := tool.Status(); status != 1 {
		t.Errorf("status %d", status)
	}
	if running(t, floor) {
		t.Error("the floor goes on")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// await waits until a program of the folder runs, and returns its file.
func await(t *testing.T, folder string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		files, err := filepath.Glob(filepath.Join(folder, "*", "floor"))
		if err != nil || time.Now().After(end) {
			t.Fatalf("%v, %v", files, err)
		}
		if len(files) == 1 && running(t, files[0]) {
			return files[0]
		}
		time.Sleep(time.Millisecond) // until it runs
	}
}

// running reports whether a process runs a program.
func running(t *testing.T, program string) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.TrimSuffix(target, " (deleted)") == program {
			return true
		}
	}
	return false
}
