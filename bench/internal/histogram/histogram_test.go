package histogram_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tickertape/bench/internal/histogram"
)

// A quantile is not below the true one, and at most 1/64 above it.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, math.MaxInt64)), 1, 300).Draw(t, "values")
		q := rapid.SampledFrom([]float64{0, 0.01, 0.5, 0.9, 0.99, 1}).Draw(t, "q")
		var h histogram.Histogram
		for _, v := range values {
			h.Add(time.Duration(v))
		}
		slices.Sort(values)
		want := values[max(0, int(math.Ceil(q*float64(len(values))-1e-6))-1)]
		got := int64(h.Quantile(q))
		if got < want || got-want > want/64+1 {
			t.Fatalf("quantile %v of %v: %d, want %d", q, values, got, want)
		}
	})
}

func TestHistogramOfNothing(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	h.Add(time.Second)
	h.Reset()
	if got := h.Quantile(0.5); got != 0 || h.Count() != 0 {
		t.Errorf("got %v of %d", got, h.Count())
	}
	h.Add(-time.Second)
	if got := h.Quantile(1); got != 0 || h.Count() != 1 {
		t.Errorf("got %v of %d", got, h.Count())
	}
}
