package hub_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"tickertape/internal/hub"
	"tickertape/internal/membus"
)

// blocks is a set of blocks that it does not keep alive.
type blocks map[weak.Pointer[byte]]struct{}

func (b blocks) add(block []byte) { b[weak.Make(&block[0])] = struct{}{} }

// held returns how many of the blocks somebody still holds.
func (b blocks) held() (n int) {
	for range 3 {
		runtime.GC()
	}
	for p := range b {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// TestStalledReaderHoldsOnePage: who stops reading in the middle of what was
// read ahead for many holds no more of it than one page.
func TestStalledReaderHoldsOnePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := &measured{Bus: membus.New(membus.Options{})}
		h, p, end := old(t, bus, hub.Options{LogFrames: 10}, 5000, 100)
		defer end()
		p.comeBack(t, h, p.ids[2500], 2500, nothing)
		stalled := subscribe(t, h, &bell{}, hub.Start{Cursor: p.ids[0]}, "a")
		defer stalled.Close()
		stalled.Take(nil, 1)
		synctest.Wait()
		if n := len(bus.reads); bus.reads[n-1] < 2000 {
			t.Fatalf("nothing was read ahead: %v", bus.reads)
		}
		if taken, _ := stalled.Take(nil, 1); len(taken) != 1 {
			t.Fatalf("%d blocks", len(taken))
		}
		seen := blocks{}
		p.comeBack(t, h, p.ids[0], 0, seen.add)
		time.Sleep(5 * time.Minute)
		if n := seen.held(); n == 0 || n > 512+10 {
			t.Errorf("of %d events %d are held", len(seen), n)
		}
		runtime.KeepAlive(stalled)
	})
}

// TestReadAheadIsBounded: what is read ahead stays within the room for pages,
// and nothing is where there is none.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	for _, room := range []int{100 << 10, 2 << 20} {
		synctest.Test(t, func(t *testing.T) {
			bus := &measured{Bus: membus.New(membus.Options{})}
			h, p, end := old(t, bus, hub.Options{LogFrames: 10, PagesBytes: room}, 10_000, 100)
			defer end()
			seed := rand.New(rand.NewPCG(1, 1))
			seen := blocks{}
			for range 8 {
				from := seed.IntN(10_000)
				p.comeBack(t, h, p.ids[from], from, seen.add)
			}
			least := 400 + 2*100 // of what an event takes
			if n := seen.held(); n == 0 || n > max(512, room/least)+10 {
				t.Errorf("of %d events %d are held in %d KiB", len(seen), n, room>>10)
			}
			for _, n := range bus.reads {
				if n > max(512, room/least) {
					t.Errorf("a read of %d events into %d KiB", n, room>>10)
				}
			}
			runtime.KeepAlive(h)
		})
	}
}
