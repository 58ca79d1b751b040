//go:build linux

package load_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tickertape/bench/internal/load"
)

func drive(t *testing.T, target load.Target, o load.Options) *load.Driver {
	t.Helper()
	o.Target, o.Size = target, 100
	d, err := load.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// All that is published arrives, in each way of publishing, and is counted.
func TestPublishAndDeliver(t *testing.T) {
	t.Parallel()
	for name, flow := range map[string]load.Flow{
		"as fast as answers come": {Count: 90},
		"at a rate":               {Count: 90, Rate: 1000},
		"in bursts":               {Count: 90, Rate: 2000, Burst: 40},
		"as a stream in bursts":   {Count: 90, Rate: 2000, Burst: 40, Stream: true},
		"as a stream":             {Count: 90, Stream: true},
		"as a stream at a rate":   {Count: 90, Stream: true, Rate: 1000},
		"for a time":              {For: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := drive(t, start(t, plainly), load.Options{Topics: 5, Lanes: 4, Window: 20})
			ctx := t.Context()
			must(t, d.Publish(ctx, load.Flow{Topics: 5, Count: 3}))
			must(t, d.Subscribe(ctx, 6, func(i int) int { return 1 + i%3 })) // two of each topic
			d.Begin()
			flow.First, flow.Topics = 1, 3
			must(t, d.Publish(ctx, flow), d.Settle(ctx))
			c := d.Count()
			if flow.Count > 0 && c.Taken != 90 || c.Taken == 0 || c.Deliveries != 2*c.Taken || c.Span <= 0 || c.P50 <= 0 || c.P99 < c.P50 {
				t.Errorf("%+v", c)
			}
			if got := d.Verdict().String(); got != "" {
				t.Error(got)
			}
		})
	}
}

// A rate is kept to: the last message cannot leave before its time, which is
// 200 ms behind the first.
func TestRate(t *testing.T) {
	t.Parallel()
	for name, flow := range map[string]load.Flow{
		"one by one": {Count: 21, Rate: 100}, "in bursts": {Count: 90, Rate: 300, Burst: 30},
		"as a stream": {Count: 21, Rate: 100, Stream: true}, "as a stream in bursts": {Count: 90, Rate: 300, Burst: 30, Stream: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flow.Topics = 1
			d := drive(t, start(t, plainly), load.Options{Topics: 1, Lanes: 4})
			began := time.Now()
			must(t, d.Publish(t.Context(), flow))
			if took := time.Since(began); took < 200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// What a server does wrong is told, each kind as itself.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, c := range wrongs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := drive(t, start(t, c.mangle()), load.Options{Topics: 1, Lanes: 1})
			ctx := t.Context()
			must(t, d.Subscribe(ctx, 2, func(int) int { return 0 }))
			d.Begin()
			must(t, d.Publish(ctx, load.Flow{Topics: 1, Count: 20}))
			settle(t, d, c.lost)
			if got := d.Verdict().String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// settle waits until no more is missing than what is lost.
func settle(t *testing.T, d *load.Driver, lost uint64) {
	t.Helper()
	if lost == 0 {
		must(t, d.Settle(t.Context()))
		return
	}
	for d.Verdict().Lost > lost {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := d.Settle(ctx); err == nil {
			t.Fatal("it settled without what is lost")
		}
		cancel()
	}
}

// A server that cuts its subscribers off ends no run: what they lack is lost.
func TestCut(t *testing.T) {
	t.Parallel()
	d := drive(t, start(t, func(n int, m string) (int, []string, bool) { return 200, []string{m}, n < 0 }), load.Options{Topics: 1, Lanes: 1})
	ctx := t.Context()
	must(t, d.Subscribe(ctx, 1, func(int) int { return 0 }))
	d.Begin()
	must(t, d.Publish(ctx, load.Flow{Topics: 1, Count: 3}), d.Settle(ctx))
	if v := d.Verdict(); v.Cut != 1 || v.Lost == 0 {
		t.Errorf("%v", v)
	}
}

// Who is sent away is told of, with the status.
func TestSentAway(t *testing.T) {
	t.Parallel()
	target := start(t, plainly)
	target.Events = "/nothing/{topic}"
	d := drive(t, target, load.Options{Topics: 1, Lanes: 1})
	err := d.Subscribe(t.Context(), 2, func(int) int { return 0 })
	if err == nil || !strings.Contains(err.Error(), "2 subscribers") || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("got %v", err)
	}
}

// Who resumes from a cursor gets all that came behind it, and is checked.
func TestResume(t *testing.T) {
	t.Parallel()
	d := drive(t, start(t, plainly), load.Options{Topics: 2, Lanes: 3})
	ctx := t.Context()
	must(t, d.Publish(ctx, load.Flow{Topics: 2, Count: 10}))
	from, err := d.Cursor(ctx, 1)
	must(t, err, d.Publish(ctx, load.Flow{Topics: 2, Count: 40}))
	d.Begin()
	must(t, d.Resume(ctx, 5, 1, from))
	// Before quiet alone would do.
	soon, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	must(t, d.Settle(soon))
	if c, v := d.Count(), d.Verdict().String(); c.Deliveries != 5*20 || v != "" {
		t.Errorf("%+v, %s", c, v)
	}
}

// A context ends whatever a driver does.
func TestEnd(t *testing.T) {
	t.Parallel()
	d := drive(t, start(t, plainly), load.Options{Topics: 1, Lanes: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Publish(ctx, load.Flow{Topics: 1}); err == nil {
		t.Error("publishing without an end ended")
	}
	if err := d.Subscribe(ctx, 1, func(int) int { return 0 }); err == nil {
		t.Error("subscribed after the end")
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:1", "[::1]:80", "localhost:80"} {
		if _, err := load.New(load.Options{Target: load.Target{Addr: addr}, Topics: 1, Lanes: 1}); err == nil {
			t.Errorf("%s: no error", addr)
		}
	}
}
