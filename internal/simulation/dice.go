package simulation

import (
	"hash/fnv"
	"io"
	"time"
)

// dice draw numbers that depend on their seed and on the moment, and on nothing
// else. So it does not matter who of several draws first, as goroutines of the
// nodes do at one and the same moment in any order.
type dice uint64

// below returns a number from 0 to below n. What is drawn at one moment for
// several purposes names each of them.
func (d dice) below(n int, purpose uint64) int {
	return int(mix(mix(uint64(d), uint64(time.Now().UnixNano())), purpose) % uint64(n))
}

// purpose returns the one of whatever a text stands for.
func purpose(text string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, text) // never fails
	return h.Sum64()
}

// duration returns one from 0 to below d.
func (d dice) duration(longest time.Duration, purpose uint64) time.Duration {
	return time.Duration(d.below(int(longest), purpose))
}

// mix draws a number that depends on two others only.
func mix(a, b uint64) uint64 {
	x := a ^ b*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
