package torture_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tickertape/internal/referee"
	"tickertape/internal/torture"
)

// small is a scale for runs that are not about traffic.
var small = torture.Scale{Events: 200, Rate: 400, Clients: 5, Topics: 4, Faults: 1}

// TestTry looks at what the rows of small runs say.
func TestTry(t *testing.T) {
	t.Parallel()
	program := torture.Build(t)
	t.Run("tells faults", func(t *testing.T) { t.Parallel(); tellsFaults(t, program) })
	t.Run("ends all", func(t *testing.T) { t.Parallel(); endsAll(t, program) })
	t.Run("draws by seed", func(t *testing.T) { t.Parallel(); drawsBySeed(t, program) })
}

// tellsFaults lets what must not happen happen: the row says so.
func tellsFaults(t *testing.T, program string) {
	for name, c := range map[string]struct {
		torture.Case
		wrong func(torture.Row) bool
		words string
	}{
		"a loss": {
			torture.Case{Do: func(r *torture.Run) {
				r.Redis.Kill()
				r.Redis.Wipe()
				r.Redis.Restart()
			}},
			func(r torture.Row) bool { return r.Other > 0 && r.Lost+r.FalseGaps == 0 && r.Gaps["store_lost"] > 0 }, "is gone, as a gap said",
		},
		"no loss": {
			torture.Case{Loss: referee.MustLose, Do: func(*torture.Run) {}},
			func(r torture.Row) bool { return r.Lost > 0 }, "was told of no gap",
		},
		"too late": {
			torture.Case{Limit: 5 * time.Second, Do: func(r *torture.Run) { r.Redis.Kill() }},
			func(r torture.Row) bool { return len(r.Stuck) > 0 && r.Published > 0 }, "all hubs are ready",
		},
		"a fault that fails": {
			torture.Case{Do: func(r *torture.Run) { r.Hubs[0].Start() }},
			func(r torture.Row) bool { return len(r.Stuck) > 0 && strings.Contains(r.Log, "the log of hub") }, "runs already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := torture.Try(t, c.Case, program, small, 1)
			if err := row.Err(); err == nil || !c.wrong(row) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%+v\n%v, want %q", row, err, c.words)
			}
		})
	}
}

// endsAll: what a run has started is gone when it has ended, also half way.
func endsAll(t *testing.T, program string) {
	var hub *torture.Hub
	row := torture.Try(t, torture.Case{Do: func(r *torture.Run) {
		hub = r.Hubs[0]
		r.T.Fatal("enough")
	}}, program, small, 1)
	if hub == nil || !hub.Over() || len(row.Stuck) != 1 || row.Stuck[0] != "enough" {
		t.Errorf("%+v", row)
	}
	if row.Took > 30*time.Second {
		t.Errorf("it took %v", row.Took)
	}
}

// drawsBySeed: what a run draws, it draws again from the same seed.
func drawsBySeed(t *testing.T, program string) {
	draws := func(seed uint64) (drawn string) {
		row := torture.Try(t, torture.Case{Do: func(r *torture.Run) {
			drawn = fmt.Sprint(r.Rand.Perm(100), r.Moments)
			for _, x := range r.Listeners {
				drawn += fmt.Sprint(x.Topics)
			}
		}}, program, small, seed)
		if err := row.Err(); err != nil || drawn == "" {
			t.Fatal(drawn, err)
		}
		return drawn
	}
	first := draws(1)
	if again := draws(1); again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	if other := draws(2); other == first {
		t.Errorf("of two seeds %s", other)
	}
}

// A build can have other sources than the ones in place.
func TestBuildWithOverlay(t *testing.T) {
	t.Parallel()
	broken, overlay := t.TempDir()+"/main.go", t.TempDir()+"/overlay.json"
	source, err := os.ReadFile("../../cmd/hub/main.go")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text := `{"Replace": {"` + strings.TrimSuffix(dir, "internal/torture") + `cmd/hub/main.go": "` + broken + `"}}`
	for name, content := range map[string]string{
		broken:  strings.Replace(string(source), "func main() {", "func main() {\n\tprintln(\"overlaid\")\n", 1),
		overlay: text,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	row := torture.Try(t, torture.Case{Do: func(r *torture.Run) { r.T.Fatal("show the logs") }}, torture.Build(t, "-overlay", overlay), small, 1)
	if !strings.Contains(row.Log, "overlaid") {
		t.Errorf("the hub was built without the overlay: %s", row.Log)
	}
}
