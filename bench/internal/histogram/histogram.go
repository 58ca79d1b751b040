// Package histogram counts durations in constant memory, so that its
// quantiles are at most 1.6 % too high.
package histogram

import (
	"math/bits"
	"time"
)

const (
	fine   = 6 // bits of a duration that are told apart below the first one
	spread = 1 << fine
)

// Histogram counts durations. The zero value is empty.
type Histogram struct {
	counts [(65 - fine) * spread]uint64
	total  uint64
}

// Add counts a duration; a negative one counts as none.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(0, d)))]++
	h.total++
}

// Count returns how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Reset makes it empty.
func (h *Histogram) Reset() { *h = Histogram{} }

// Quantile returns a duration which at least the share q of all durations do
// not exceed, and none if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(1, uint64(q*float64(h.total)+0.999999))
	var seen uint64
	for i, count := range h.counts {
		if seen += count; count > 0 && seen >= min(rank, h.total) {
			return time.Duration(most(i))
		}
	}
	return 0
}

// bucket returns where a value is counted: below 2*spread each has a bucket
// of its own, above it each power of two has spread of them.
func bucket(v uint64) int {
	shift := max(0, bits.Len64(v)-fine-1)
	return shift<<fine + int(v>>shift)
}

// most returns the largest value of a bucket.
func most(bucket int) uint64 {
	if bucket < 2*spread {
		return uint64(bucket)
	}
	shift := bucket>>fine - 1
	return (uint64(bucket&(spread-1)+spread)+1)<<shift - 1
}
