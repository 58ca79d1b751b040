//go:build linux

package cases_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"tickertape/bench/internal/cases"
	"tickertape/bench/internal/labtest"
	"tickertape/bench/internal/server"
)

// tiny is enough to see whether a case works.
var tiny = cases.Size{Time: 200 * time.Millisecond, Share: 0.004}

// Each case measures the hub and the floor, and they do nothing wrong. How
// fast they are is not asked here.
func TestCases(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"cc", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: make test installs it", program)
		}
	}
	l := labtest.New(t, server.Options{})
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c := c.Only([]string{server.Hub, server.Floor})
			var told []string
			r, err := c.Run(t.Context(), l, 1, tiny, func(what string) { told = append(told, what) })
			if err != nil {
				t.Fatal(err)
			}
			if len(told) != len(c.Servers) {
				t.Errorf("told of %q", told)
			}
			for _, who := range c.Servers {
				expectFigures(t, r, who)
			}
			expectGoals(t, r)
		})
	}
}

// expectFigures sees that all that the picture shows was measured.
func expectFigures(t *testing.T, r cases.Result, who string) {
	t.Helper()
	what, _ := r.Wrong(who)
	for _, wrong := range what {
		// So little is measured that a clock may not have moved.
		if !strings.Contains(wrong, "too short") {
			t.Errorf("%s: %s", who, wrong)
		}
	}
	for _, name := range slices.Concat(r.Case.Chart, r.Case.Compare.Figures) {
		if _, measured := r.Of(who, name); !measured {
			t.Errorf("%s: no %s", who, name)
		}
	}
}

// expectGoals sees that goals which need no other server can be judged.
func expectGoals(t *testing.T, r cases.Result) {
	t.Helper()
	medians := r.Medians()
	for _, g := range r.Case.Goals {
		value, reached := g.Reached(medians)
		if unknown := value != value; unknown && reached {
			t.Errorf("%s: reached, though it was not measured", g.Text)
		}
		if g.Text == "" || g.Limit <= 0 {
			t.Errorf("a goal of %q without a text or a limit", r.Case.Name)
		}
	}
}

// A server that is not there makes its row say so, and the others' rows are
// there.
func TestMissingServer(t *testing.T) {
	t.Parallel()
	chosen, err := cases.Named([]string{"fanout"})
	if err != nil {
		t.Fatal(err)
	}
	l := labtest.New(t, server.Options{Hub: "no-such-program"})
	r, err := chosen[0].Only([]string{server.Hub, server.Floor}).Run(t.Context(), l, 2, tiny, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if what, rounds := r.Wrong(server.Hub); rounds != 2 || !strings.Contains(strings.Join(what, ""), "no-such-program") {
		t.Errorf("the hub: %q in %d rounds", what, rounds)
	}
	if _, rounds := r.Wrong(server.Floor); rounds != 0 {
		t.Error("the floor did something wrong")
	}
	for _, g := range r.Case.Goals {
		if _, reached := g.Reached(r.Medians()); reached {
			t.Errorf("%s: reached", g.Text)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if _, err := cases.Named([]string{"fanout", "nothing"}); err == nil || !strings.Contains(err.Error(), "growth") {
		t.Errorf("got %v", err)
	}
	all, err := cases.Named(nil)
	if err != nil || len(all) != 8 {
		t.Errorf("%d cases, %v", len(all), err)
	}
}

// An end from outside ends a run, as an error.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	l := labtest.New(t, server.Options{Hub: "not measured"})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := cases.All()[0].Only([]string{server.Floor}).Run(ctx, l, 100, tiny, func(what string) {
		if strings.Contains(what, "round 2 ") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
