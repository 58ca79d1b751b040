package redisbus_test

import (
	"testing"

	"tickertape/internal/redisbus"
)

// TestDecide has those who may know where the primary is disagree.
func TestDecide(t *testing.T) {
	t.Parallel()
	type views = []redisbus.View
	old, now, none := redisbus.View{Addr: "old:1", Epoch: 4}, redisbus.View{Addr: "new:1", Epoch: 5}, redisbus.View{}
	other := redisbus.View{Addr: "other:1", Epoch: 5}
	for name, c := range map[string]struct {
		list  views
		known redisbus.View
		want  redisbus.View
	}{
		"nobody says anything":                         {nil, none, none},
		"one alone knows it":                           {views{now}, none, now},
		"the later epoch counts, though it came last":  {views{old, old, now}, none, now},
		"the later epoch counts, though it came first": {views{now, old, old}, old, now},
		"one who was cut off leads nowhere":            {views{old}, now, now},
		"all were set up anew":                         {views{old, old, old}, now, old},
		"more than half were set up anew":              {views{old, old}, now, old},
		"most voices of an epoch":                      {views{now, other, other}, now, other},
		"what was known, if voices are even":           {views{other, now}, now, now},
		"the same again":                               {views{now, now, now}, now, now},
	} {
		if got := redisbus.Decide(c.list, 3, c.known); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
