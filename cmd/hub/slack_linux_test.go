package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// The hub starts itself again with more slack, once, as the process that it is.
func TestSlack(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "memory")
	of := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	environment, err := os.ReadFile(of + "environ")
	if n := strings.Count(string(environment), "TICKERTAPE_RELAXED="); err != nil || n != 1 {
		t.Errorf("the hub's environment says so %d times (%v)", n, err)
	}
	switch slack, err := os.ReadFile(of + "timerslack_ns"); {
	case errors.Is(err, fs.ErrPermission): // it takes a capability
	case err != nil || strings.TrimSpace(string(slack)) != "1000000":
		t.Errorf("its slack is %q ns (%v)", slack, err)
	}
}
