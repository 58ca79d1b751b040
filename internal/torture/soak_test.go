package torture_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"tickertape/internal/torture"
)

// minDeliveries is how many deliveries a second a soak has at least, over all
// of its time.
const minDeliveries = 2000

// longSoak is how long a soak has to be to say what is flat: in a quarter of
// that, the hubs' logs get full.
const longSoak = 20 * time.Minute

// TestSoak lets three hubs work while they are harmed again and again: the
// ledger is clean at the end, and nothing that hubs hold has grown. Its short
// form runs with all tests; the full one, by "make soak", for as long as SOAK
// says, and draws a picture in the file SOAK_PLOT.
func TestSoak(t *testing.T) {
	t.Parallel()
	o := torture.SoakOptions{Span: 12 * time.Second, Every: 5 * time.Second, Look: time.Second, Rate: 300, Clients: 50, Topics: 20}
	text := os.Getenv("SOAK")
	if text != "" {
		span, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		// With a few minutes of undisturbed traffic, the logs are full: each
		// keeps about half a MiB of texts.
		o = torture.SoakOptions{Span: span, Every: 20 * time.Second, Look: max(time.Second, span/240),
			Rate: 50, Size: 5000, Clients: 5000, Topics: 100, Follow: 2}
	}
	seed := seed(t)
	row, samples := torture.Soak(t, torture.Build(t), o, seed)
	for _, f := range samples.Faults {
		t.Logf("%v: %s", f.At.Round(time.Second), f.What)
	}
	t.Logf("seed %d\n%s%s", seed, torture.Header, row.String())
	if err := row.Err(); err != nil {
		t.Errorf("%v\n%s", err, row.Log)
	}
	checkSamples(t, samples, o)
	if text == "" {
		return
	}
	checkTrends(t, samples, o)
	draw(t, row, samples, o)
	last := samples.List[len(samples.List)-1].At
	perSecond := float64(row.Delivered) / last.Seconds()
	t.Logf("%d faults and %.0f deliveries a second in %v", len(samples.Faults), perSecond, last.Round(time.Second))
	if perSecond < minDeliveries {
		t.Errorf("that is less than %d deliveries a second", minDeliveries)
	}
}

func checkTrends(t *testing.T, samples *torture.Samples, o torture.SoakOptions) {
	t.Helper()
	for _, trend := range samples.Trends() {
		t.Log(trend)
		if o.Span >= longSoak && !trend.Flat() {
			t.Errorf("%s: it grows", trend.Name)
		}
	}
}

// draw makes the picture.
func draw(t *testing.T, row torture.Row, samples *torture.Samples, o torture.SoakOptions) {
	t.Helper()
	title := fmt.Sprintf("%d hubs, %d clients, a fault every %.0f s", len(samples.List[0].Hubs), o.Clients, o.Every.Seconds())
	notes := []string{fmt.Sprintf("%d events published, %d delivered: %d lost without notice, %d doubled, %d out of order, %d false gaps.",
		row.Published, row.Delivered, row.Lost, row.Doubled, row.Disordered, row.FalseGaps)}
	for _, trend := range samples.Trends() {
		notes = append(notes, trend.String()+".")
	}
	notes = append(notes, "Hubs 2 and 3 are ended and started again now and then (dots), hub 1 never is. Where a curve is broken, a hub did not answer, or there is no sum.")
	if err := os.WriteFile(os.Getenv("SOAK_PLOT"), samples.Plot(title, notes...).SVG(), 0o644); err != nil {
		t.Error(err)
	}
}

// checkSamples looks whether the hubs' curves say what they should.
func checkSamples(t *testing.T, samples *torture.Samples, o torture.SoakOptions) {
	t.Helper()
	if want := int((o.Span - 1) / o.Every); len(samples.Faults) == 0 || len(samples.Faults) > want {
		t.Errorf("%d faults, should be %d at most", len(samples.Faults), want)
	}
	if len(samples.List) < 3 {
		t.Fatalf("%d samples", len(samples.List))
	}
	lives, whole := map[float64]bool{}, 0
	for _, s := range samples.List {
		streams := 0.0
		for i, r := range s.Hubs {
			if streams += r.Streams; i == 0 && r.Born > 0 {
				lives[r.Born] = true
			}
		}
		if streams == float64(o.Clients) {
			whole++
		}
	}
	if len(lives) != 1 {
		t.Errorf("the first hub had %d lives: it must not be ended", len(lives))
	}
	if whole == 0 {
		t.Errorf("the hubs never had the streams of all %d clients", o.Clients)
	}
}
