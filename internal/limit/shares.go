package limit

import "sync"

// Shares bound how much each of many holds at once. Several goroutines may use
// them. What they hold of one who holds nothing is nothing.
type Shares[K comparable] struct {
	most int
	mu   sync.Mutex
	held map[K]int
}

// NewShares returns Shares of at most so much each; 0: there is no bound.
func NewShares[K comparable](most int) *Shares[K] { return &Shares[K]{most: most, held: map[K]int{}} }

// Enter takes one share more, and reports whether there was one. Who has entered
// leaves, once.
func (s *Shares[K]) Enter(k K) bool {
	if s.most == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[k] >= s.most {
		return false
	}
	s.held[k]++
	return true
}

// Leave gives a share back.
func (s *Shares[K]) Leave(k K) {
	if s.most == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[k]--; s.held[k] == 0 {
		delete(s.held, k)
	}
}

// Holders returns how many hold anything.
func (s *Shares[K]) Holders() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}
