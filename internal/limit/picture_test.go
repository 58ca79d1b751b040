package limit_test

import (
	"fmt"
	"time"

	"tickertape/internal/plot"
)

// shown is how much of a storm is in the picture.
const shown = 160 * time.Second

// The curves' names: those of nodes that advise, and that tell all the same.
const (
	grows    = "advice grows with the crowd"
	constant = "all are told 3 s ± 50 %"
)

// picture draws a storm, and the same one if all were told alike.
func picture(advised, alike *chronicle) plot.Plot {
	both := func(title string, of func(second) float64) plot.Panel {
		return plot.Panel{Title: title, Curves: []plot.Curve{
			{Name: grows, Pieces: advised.curve(0, of)},
			{Name: constant, Pieces: alike.curve(0, of)},
		}}
	}
	knocks := func(s second) float64 { return s.knocks() }
	s := advised.storm
	return plot.Plot{
		Title: fmt.Sprintf("%s streams break at once; %d nodes let in %s a second each, and %s a second are new",
			thousands(s.crowd), s.nodes, thousands(int(s.perSecond)), thousands(int(s.most()*s.newcomers))),
		Description: "Curves over time of streams that are open again, attempts a second, streams let in a second, and the advice to those who are sent away: as nodes advise, and if all were told alike.",
		Span:        shown,
		Panels: []plot.Panel{
			both("streams open again, thousands", func(s second) float64 { return float64(s.back) / 1000 }),
			both("attempts a second, at all nodes", knocks),
			{Title: "the same when the first wave is over, as nodes advise", Curves: []plot.Curve{{Name: grows, Pieces: advised.curve(wave, knocks)}}},
			both("let in a second, with those who are new", func(s second) float64 { return float64(s.in) }),
			{Title: "seconds after which those who are sent away are to come back, as nodes advise: the longer, the more are away", Curves: []plot.Curve{
				advised.advice("median", func(s second) time.Duration { return s.median }),
				advised.advice("99th percentile", func(s second) time.Duration { return s.most }),
			}},
		},
		Notes: []string{advised.note("As nodes advise"), alike.note("All told alike")},
	}
}

// curve is a value of each second from then on.
func (c *chronicle) curve(from time.Duration, of func(second) float64) [][]plot.Point {
	var points []plot.Point
	for i, s := range c.seconds {
		if at := time.Duration(i)*time.Second + time.Second/2; at >= from && at < shown {
			points = append(points, plot.Point{At: at, Value: of(s)})
		}
	}
	return [][]plot.Point{points}
}

// advice is what those were told who were sent away, of the seconds in which somebody was advised.
func (c *chronicle) advice(name string, of func(second) time.Duration) plot.Curve {
	var points []plot.Point
	for i, s := range c.seconds {
		if wait := of(s); wait > 0 {
			points = append(points, plot.Point{At: time.Duration(i)*time.Second + time.Second/2, Value: wait.Seconds()})
		}
	}
	return plot.Curve{Name: name, Pieces: [][]plot.Point{points}, Dots: points}
}

func (c *chronicle) note(name string) string {
	return fmt.Sprintf("%s: half are back after %.0f s, all after %.0f s, by %d attempts (median), %d (p99), %d at most; newcomers wait %.0f s (p99).", name,
		quantile(c.returns, 0.5).Seconds(), quantile(c.returns, 1).Seconds(), quantile(c.attempts, 0.5), quantile(c.attempts, 0.99), quantile(c.attempts, 1), quantile(c.waits, 0.99).Seconds())
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
