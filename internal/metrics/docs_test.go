package metrics_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// family is one metric, in the documentation or in a scrape.
type family struct {
	kind   string
	labels map[string][]string // the values of each; in the documentation none means any
}

var (
	rowForm   = regexp.MustCompile("(?m)^\\| `(tickertape_\\w+)` \\| (\\w+) \\| ([^|]*)\\| [^|]+ \\| [^|]*\\|$")
	cellForm  = regexp.MustCompile("`(\\w+)`(?:: ([^;]+))?")
	typeForm  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\w+)$`)
	labelForm = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

func documented(t *testing.T) map[string]family {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]family{}
	for _, row := range rowForm.FindAllStringSubmatch(string(text), -1) {
		f := family{row[2], map[string][]string{}}
		for _, label := range cellForm.FindAllStringSubmatch(row[3], -1) {
			f.labels[label[1]] = strings.FieldsFunc(label[2], func(r rune) bool { return r == ',' || r == ' ' })
		}
		if _, twice := all[row[1]]; twice {
			t.Errorf("%s has two rows", row[1])
		}
		all[row[1]] = f
	}
	if rows := strings.Count(string(text), "\n| `"); rows != len(all) {
		t.Errorf("%d of %d rows can be read", len(all), rows)
	}
	return all
}

// shown adds what a scrape shows.
func shown(all map[string]family, text string) {
	for _, m := range typeForm.FindAllStringSubmatch(text, -1) {
		if _, ok := all[m[1]]; !ok {
			all[m[1]] = family{m[2], map[string][]string{}}
		}
	}
	for line := range strings.Lines(text) {
		name, labels, _ := strings.Cut(strings.Fields(line)[0], "{")
		f, ok := all[name]
		if !ok {
			for _, suffix := range [...]string{"_bucket", "_sum", "_count"} {
				if base, is := strings.CutSuffix(name, suffix); is && all[base].kind == "histogram" {
					f, ok = all[base], true
				}
			}
		}
		for _, m := range labelForm.FindAllStringSubmatch(labels, -1) {
			if ok && m[1] != "le" {
				f.labels[m[1]] = append(f.labels[m[1]], m[2])
			}
		}
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	bus, err := redisbus.Open(redisbus.Options{URL: redistest.Start(t).URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close) // after the node's end
	memory, redis := start(t, membus.New(membus.Options{}), nodetest.Options{}), start(t, bus, nodetest.Options{})
	got, want := map[string]family{}, documented(t)
	for _, n := range []*node{memory, redis} {
		for _, media := range []string{"text/plain", "application/json", "application/x-ndjson", "text/event-stream", "image/png"} {
			n.publish("?topic=news", media, "one")
		}
		n.post("/topics/news/end", "", "")
		text := n.scrape()
		shown(got, text)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for name, f := range got {
		d, ok := want[name]
		switch {
		case strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_"):
		case !ok:
			t.Errorf("%s is not documented", name)
		default:
			compare(t, name, d, f)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is documented, and is not there", name)
		}
	}
}

// compare compares what is documented of a metric with what there is.
func compare(t *testing.T, name string, want, got family) {
	t.Helper()
	if want.kind != got.kind {
		t.Errorf("%s is a %s, and documented as a %s", name, got.kind, want.kind)
	}
	for label, values := range got.labels {
		known, ok := want.labels[label]
		if !ok {
			t.Errorf("%s has the label %s, which is not documented", name, label)
		}
		for _, v := range values {
			if len(known) > 0 && !slices.Contains(known, v) {
				t.Errorf("%s has %s=%q, which is not documented", name, label, v)
			}
		}
		for _, v := range known {
			if !slices.Contains(values, v) {
				t.Errorf("%s never has %s=%q, which is documented", name, label, v)
			}
		}
	}
	for label := range want.labels {
		if _, ok := got.labels[label]; !ok {
			t.Errorf("%s has no label %s", name, label)
		}
	}
}
