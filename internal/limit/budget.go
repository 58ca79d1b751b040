package limit

import "sync/atomic"

// Budget bounds how much many take together. Several goroutines may use it.
type Budget struct {
	most int64
	used atomic.Int64
}

// NewBudget returns a Budget of so much; 0: there is no bound.
func NewBudget(most int64) *Budget { return &Budget{most: most} }

// Take takes so much more, and reports whether there was that much left. Who has
// taken gives.
func (b *Budget) Take(n int64) bool {
	if b.used.Add(n) > b.most && b.most > 0 {
		b.used.Add(-n)
		return false
	}
	return true
}

// Give gives back what was taken.
func (b *Budget) Give(n int64) { b.used.Add(-n) }

// Used returns how much is taken.
func (b *Budget) Used() int64 { return b.used.Load() }
