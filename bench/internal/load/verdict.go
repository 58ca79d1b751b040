//go:build linux

package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tickertape/bench/internal/check"
)

// quiet is how long nothing may arrive before what is missing is taken for
// lost.
const quiet = 5 * time.Second

// Settle waits until all that was published has arrived, or nothing more does:
// it is quiet, or nobody is left.
func (d *Driver) Settle(ctx context.Context) error {
	since, arrived := d.clock(), d.arrived
	err := d.run(ctx, func() bool {
		if d.arrived != arrived {
			since, arrived = d.clock(), d.arrived
		}
		return d.arrived >= d.expected || d.clock()-since > quiet || int(d.cut) >= len(d.subscribers)
	})
	if err != nil {
		return fmt.Errorf("%d of %d deliveries have not arrived: %w", d.expected-d.arrived, d.expected, err)
	}
	return nil
}

// Begin forgets what was before: from now on things count.
func (d *Driver) Begin() {
	d.latency.Reset()
	d.expected, d.arrived, d.taken = 0, 0, 0
	d.refusals = 0
	if d.cut == 0 { // who is gone does not come back
		d.trouble = nil
	}
	d.flow.unsent = 0
	clear(d.refused)
	for _, s := range d.subscribers {
		s.tally = check.NewTally(uint32(s.topic), d.sent[s.topic])
	}
}

// Count is what has happened since Begin.
type Count struct {
	Deliveries uint64
	Taken      uint64 // messages that the server took
	Unsent     uint64 // messages that no publisher was free for in their time
	Span       time.Duration
	P50, P99   time.Duration
}

// Count counts; Span is from the first publish to the last delivery, or to
// now if there was none.
func (d *Driver) Count() Count {
	end := d.last
	if d.arrived == 0 {
		end = d.clock()
	}
	return Count{
		Deliveries: d.arrived, Taken: d.taken, Unsent: d.flow.unsent, Span: end - d.first,
		P50: d.latency.Quantile(0.5), P99: d.latency.Quantile(0.99),
	}
}

// Verdict is what was wrong since Begin.
type Verdict struct {
	Lost, Doubled, Late, Foreign uint64 // deliveries
	Disagree                     uint64 // subscribers that got another order than others of their topic
	Cut                          uint64 // subscribers that the server cut off
	Refused                      uint64 // publishes
	Trouble                      error  // the first that was met
}

// Verdict judges what every subscriber got.
func (d *Driver) Verdict() Verdict {
	v := Verdict{Cut: d.cut, Refused: d.refusals, Trouble: d.trouble}
	orders := map[int]uint64{}
	for _, s := range d.subscribers {
		missing := s.tally.Missing(d.sent[s.topic])
		v.Lost += missing - min(missing, d.refused[s.topic])
		v.Doubled += s.tally.Doubled
		v.Late += s.tally.Late
		v.Foreign += s.tally.Foreign
		if missing > 0 {
			continue
		}
		if order, seen := orders[s.topic]; seen && order != s.tally.Order {
			v.Disagree++
		}
		orders[s.topic] = s.tally.Order
	}
	return v
}

// String says what was wrong; nothing if nothing was.
func (v Verdict) String() string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{v.Lost, "lost"}, {v.Doubled, "doubled"}, {v.Late, "out of order"}, {v.Foreign, "foreign"},
		{v.Disagree, "subscribers in another order"}, {v.Cut, "connections cut"}, {v.Refused, "publishes refused"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if v.Trouble != nil && len(parts) > 0 {
		parts = append(parts, fmt.Sprintf("first %v", v.Trouble))
	}
	return strings.Join(parts, ", ")
}

// Add adds what was wrong elsewhere.
func (v Verdict) Add(w Verdict) Verdict {
	v.Lost += w.Lost
	v.Doubled += w.Doubled
	v.Late += w.Late
	v.Foreign += w.Foreign
	v.Disagree += w.Disagree
	v.Cut += w.Cut
	v.Refused += w.Refused
	if v.Trouble == nil {
		v.Trouble = w.Trouble
	}
	return v
}
