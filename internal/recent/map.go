// Package recent remembers what was used lately, within bounds.
package recent

import "sync"

// Map is a map that forgets what was not used for long, once it is full. Several
// goroutines may use it at once.
//
// It has two generations. What is used moves to the younger one; when that is full,
// the older one is forgotten, and the younger one becomes the older. So it holds at
// most twice as many as its limit, and no less than that many that were used last.
type Map[K comparable, V any] struct {
	mu           sync.Mutex
	most         int
	young, older map[K]V
}

// NewMap returns a Map that remembers at least so many.
func NewMap[K comparable, V any](most int) *Map[K, V] {
	return &Map[K, V]{most: most, young: map[K]V{}}
}

// Get returns what the key has, if that is remembered.
func (m *Map[K, V]) Get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(k)
}

// Put has the key have the value.
func (m *Map[K, V]) Put(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(k, v)
}

// GetOr returns what the key has, or has it have what made returns.
func (m *Map[K, V]) GetOr(k K, made func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.get(k)
	if !ok {
		v = made()
		m.put(k, v)
	}
	return v
}

func (m *Map[K, V]) get(k K) (V, bool) {
	if v, ok := m.young[k]; ok {
		return v, true
	}
	v, ok := m.older[k]
	if ok {
		m.put(k, v)
	}
	return v, ok
}

func (m *Map[K, V]) put(k K, v V) {
	if _, known := m.young[k]; !known && len(m.young) >= m.most {
		m.young, m.older = map[K]V{}, m.young
	}
	m.young[k] = v
}
