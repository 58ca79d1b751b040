package limit_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/limit"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		address string
		nearby  bool
		want    string // nothing: not counted
	}{
		{"203.0.113.7", true, "203.0.113.7"},
		{"203.0.113.7", false, "203.0.113.7"},
		{"::ffff:203.0.113.7", true, "203.0.113.7"},
		{"2001:db8:1:2:3:4:5:6", true, "2001:db8:1:2::/64"},
		{"2001:db8:1:2::", false, "2001:db8:1:2::/64"},
		{"127.0.0.1", false, ""},
		{"::1", false, ""},
		{"::ffff:127.0.0.1", false, ""},
		{"10.1.2.3", true, ""},
		{"10.1.2.3", false, "10.1.2.3"},
		{"fd00::1", true, ""},
		{"fd00::1", false, "fd00::/64"},
		{"169.254.1.1", true, ""},
		{"fe80::1%eth0", true, ""},
		{"fe80::1%eth0", false, "fe80::/64"},
	} {
		n := limit.NetworkOf(netip.MustParseAddr(row.address), row.nearby)
		if n.Counts() != (row.want != "") || n.Counts() && n.String() != row.want {
			t.Errorf("%s, nearby %t: counts %t, want %q", row.address, row.nearby, n.Counts(), row.want)
		}
	}
	if limit.NetworkOf(netip.Addr{}, true).Counts() {
		t.Error("nobody counts")
	}
}

// TestShares: nobody holds more than it may, and nothing is held of who holds
// nothing.
func TestShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(0, 4).Draw(t, "most")
		shares, held := limit.NewShares[string](most), map[string]int{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			who := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who")
			if held[who] > 0 && rapid.Bool().Draw(t, "leave") {
				shares.Leave(who)
				held[who]--
				continue
			}
			want := most == 0 || held[who] < most
			if got := shares.Enter(who); got != want {
				t.Fatalf("%s holds %d of %d, and enters: %t", who, held[who], most, got)
			}
			if want {
				held[who]++
			}
		}
		holders := 0
		for _, n := range held {
			if n > 0 && most > 0 {
				holders++
			}
		}
		if got := shares.Holders(); got != holders {
			t.Fatalf("%d hold something, it says %d", holders, got)
		}
	})
}

// TestRates: in no time does anybody more than its rate and one bucket allow, and
// what it is told to wait is right.
func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, bucket = 5, 50
		rates, begin := limit.NewRates[string](perSecond), time.Now()
		for done := 0; done < 3*bucket; {
			if wait := rates.Wait("a"); wait > 0 {
				time.Sleep(wait)
			}
			if wait := rates.Take("a"); wait > 0 {
				t.Fatalf("it waited as told after %d, and has to wait %v", done, wait)
			}
			done++
			if most := bucket + perSecond*time.Since(begin).Seconds(); float64(done) > most+1e-6 {
				t.Fatalf("%d in %v", done, time.Since(begin))
			}
		}
		if took := time.Since(begin); took > 20*time.Second+time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if rates.Take("a") == 0 {
			t.Error("its bucket is not empty")
		}
		for range 100 {
			_ = rates.Take("a") // who is refused loses nothing
		}
		time.Sleep(time.Second / perSecond)
		if wait := rates.Take("a"); wait > 0 {
			t.Errorf("being refused cost it %v", wait)
		}
		if wait := rates.Take("b"); wait > 0 {
			t.Errorf("another one waits %v", wait)
		}
	})
}

func TestNoRates(t *testing.T) {
	t.Parallel()
	rates := limit.NewRates[int](0)
	for range 1000 {
		if rates.Take(1) > 0 || rates.Wait(1) > 0 {
			t.Fatal("there is a bound")
		}
	}
	if _, ok := limit.NewAdmission(0).Enter(); !ok {
		t.Fatal("there is a bound")
	}
}

// TestAdmission: however many come at once, no more are let in than there may be; who
// comes back when it was told to is let in, each at a moment of its own.
func TestAdmission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, crowd = 100, 5000
		admission, begin := limit.NewAdmission(perSecond), time.Now()
		var told []time.Duration
		in := 0
		for range crowd {
			away, ok := admission.Enter()
			if ok {
				in++
				continue
			}
			told = append(told, away)
		}
		if in != perSecond {
			t.Errorf("%d are let in at once", in)
		}
		if told[0] < time.Second || !slices.IsSorted(told) || len(slices.Compact(slices.Clone(told))) != len(told) {
			t.Errorf("those who are sent away are told %v, %v … %v", told[0], told[1], told[len(told)-1])
		}
		for _, away := range told {
			time.Sleep(time.Until(begin.Add(away)))
			if _, ok := admission.Enter(); !ok {
				t.Fatalf("one that came as told, after %v, is sent away again", away)
			}
		}
		if took := time.Since(begin); took > 65*time.Second {
			t.Errorf("it took %v until all were in", took)
		}
	})
}

// TestAdmissionOfTooMany: nobody is told to stay away for long, though more come than
// will have been let in by then.
func TestAdmissionOfTooMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		admission := limit.NewAdmission(10)
		moments := map[time.Duration]bool{}
		for range 100_000 {
			away, ok := admission.Enter()
			if ok {
				continue
			}
			if away < time.Second || away > 2*time.Minute {
				t.Fatalf("one is told to stay away for %v", away)
			}
			moments[away] = true
		}
		if len(moments) < 90_000 {
			t.Errorf("they would come back at %d moments", len(moments))
		}
		time.Sleep(2 * time.Minute) // the queue is forgotten when its time is over
		for range 10 {
			if _, ok := admission.Enter(); !ok {
				t.Fatal("nobody is let in when the crowd has gone")
			}
		}
		if away, _ := admission.Enter(); away > 2*time.Second {
			t.Errorf("one is told to stay away for %v, though nobody else is there", away)
		}
	})
}

func TestBudget(t *testing.T) {
	t.Parallel()
	budget := limit.NewBudget(100)
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := 0
	for range 50 {
		all.Go(func() {
			if budget.Take(7) {
				mu.Lock()
				defer mu.Unlock()
				taken++
			}
		})
	}
	all.Wait()
	if taken > 14 || taken == 0 || budget.Used() != int64(taken*7) {
		t.Errorf("%d took 7 of 100, %d are used", taken, budget.Used())
	}
	for range taken {
		budget.Give(7)
	}
	if !budget.Take(100) || budget.Take(1) || budget.Used() != 100 {
		t.Errorf("what was given back is not there: %d", budget.Used())
	}
	if free := limit.NewBudget(0); !free.Take(1 << 40) {
		t.Error("there is a bound")
	}
}
