package recent_test

import (
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/recent"
)

// TestMap: what was used among the last ones is remembered as it was put, and no
// more is kept than twice the limit.
func TestMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 8).Draw(t, "most")
		m := recent.NewMap[int, int](most)
		truth, used := map[int]int{}, []int{}
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			k := rapid.IntRange(0, 20).Draw(t, "key")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				truth[k] = rapid.Int().Draw(t, "value")
				m.Put(k, truth[k])
			case 1:
				v, ok := m.Get(k)
				if ok && v != truth[k] || !ok && lately(used, k, most) {
					t.Fatalf("%d is %d, %t; want %d", k, v, ok, truth[k])
				}
				if !ok {
					continue
				}
			case 2:
				fresh := rapid.Int().Draw(t, "fresh")
				v := m.GetOr(k, func() int { return fresh })
				if v != fresh && v != truth[k] || v == fresh && v != truth[k] && lately(used, k, most) {
					t.Fatalf("%d is %d; want %d", k, v, truth[k])
				}
				truth[k] = v
			}
			used = append(used, k)
		}
		held := 0
		for k := range 21 {
			if _, ok := m.Get(k); ok {
				held++
			}
		}
		if held > 2*most {
			t.Fatalf("%d are held, over twice %d", held, most)
		}
	})
}

// lately reports whether the key is among the last so many different ones.
func lately(used []int, k, most int) bool {
	seen := map[int]bool{}
	for i := len(used) - 1; i >= 0; i-- {
		if used[i] == k {
			return true
		}
		if seen[used[i]] = true; len(seen) >= most {
			return false
		}
	}
	return false
}
