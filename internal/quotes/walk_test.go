package quotes_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tickertape/internal/quotes"
)

func walk(symbol string, seed uint64, n int) string {
	w := quotes.NewWalk(symbol, seed, 0.001)
	var all strings.Builder
	for range n {
		all.Write(w.Next().Data)
		all.WriteByte('\n')
	}
	return all.String()
}

func TestWalkIsRepeatable(t *testing.T) {
	t.Parallel()
	once := walk("AAPL", 7, 500)
	if again := walk("AAPL", 7, 500); once != again {
		t.Error("the same seed gives other prices")
	}
	if once == walk("AAPL", 8, 500) {
		t.Error("another seed gives the same prices")
	}
	const want = `{"symbol":"AAPL","price":187.40,"change_percent":0.11,"volume":292}` + "\n"
	if got := walk("AAPL", 1, 1); got != want {
		t.Errorf("seed 1 begins with %s instead of %s: what was recorded by a seed cannot be had again", got, want)
	}
}

// TestWalkStatistics checks the model: the logarithms of the changes have the
// mean and the deviation that were asked for, and know nothing of each other.
// The seed is fixed, so what passes once always passes.
func TestWalkStatistics(t *testing.T) {
	t.Parallel()
	const n, volatility = 200_000, 0.002
	w := quotes.NewWalk("XYZ", 42, volatility)
	changes := make([]float64, n)
	for i := range changes {
		before := w.Price()
		w.Next()
		changes[i] = math.Log(w.Price() / before)
	}
	var mean, variance, neighbours, cubes, fourths float64
	for _, c := range changes {
		mean += c / n
	}
	for i, c := range changes {
		d := (c - mean) / volatility
		variance += d * d / n
		cubes += d * d * d / n
		fourths += d * d * d * d / n
		if i > 0 {
			neighbours += d * (changes[i-1] - mean) / volatility / n
		}
	}
	// Five deviations of what chance does to each.
	within := func(what string, got, want, deviation float64) {
		if math.Abs(got-want) > 5*deviation {
			t.Errorf("%s is %g instead of %g", what, got, want)
		}
	}
	within("the mean change", mean, -volatility*volatility/2, volatility/math.Sqrt(n))
	within("the variance", variance, 1, math.Sqrt(2.0/n))
	within("the skewness", cubes, 0, math.Sqrt(15.0/n))
	within("the kurtosis", fourths, 3, math.Sqrt(96.0/n))
	within("what neighbours share", neighbours, 0, 1/math.Sqrt(n))
}

// TestWalkStays checks that prices are expected to stay where they began.
func TestWalkStays(t *testing.T) {
	t.Parallel()
	const walks, steps, volatility = 4000, 100, 0.03
	var mean float64
	for seed := range uint64(walks) {
		w := quotes.NewWalk("XYZ", seed, volatility)
		open := w.Price()
		for range steps {
			w.Next()
		}
		mean += w.Price() / open / walks
	}
	deviation := math.Sqrt((math.Exp(volatility*volatility*steps) - 1) / walks)
	if math.Abs(mean-1) > 5*deviation {
		t.Errorf("after %d quotes prices are %g of what they were, on average", steps, mean)
	}
}

func TestWalkIsPlausible(t *testing.T) {
	t.Parallel()
	for _, symbol := range []string{"AAPL", "MSFT", "BTC", "A", "ZZZZ", "ACME.X"} {
		for _, volatility := range []float64{0, 0.001, 5} {
			w := quotes.NewWalk(symbol, 3, volatility)
			if w.Price() < 10 || w.Price() > 100_000 {
				t.Errorf("%s begins at %g", symbol, w.Price())
			}
			for range 1000 {
				q := w.Next()
				var d struct {
					Symbol string
					Price  json.Number
				}
				if err := json.Unmarshal(q.Data, &d); err != nil || d.Symbol != symbol || q.Symbol != symbol {
					t.Fatalf("%s: %v", q.Data, err)
				}
				if price, err := d.Price.Float64(); err != nil || price <= 0 || len(d.Price) > 13 {
					t.Fatalf("%s: price %s", q.Data, d.Price)
				}
			}
		}
	}
}
