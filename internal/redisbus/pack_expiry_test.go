package redisbus_test

import (
	"slices"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestPacksExpireWhole looks at packs while they get too old one after the other,
// as long as nothing has cut them off, and then when a publish has. All of a pack is
// of one millisecond: who has seen a part of it gets all that follows, or one gap
// up to the end of a pack.
func TestPacksExpireWhole(t *testing.T) {
	t.Parallel()
	const packs, each = 20, 5
	server := redistest.Start(t)
	age := 2 * time.Second
	n := startNode(t, redisbus.Options{URL: server.URL, Retention: event.Retention{Age: age}})
	var ids []string
	for range packs {
		ids = append(ids, pack(t, n.bus, "old old old old old")...)
	}
	last := position(t, ids[packs*each-1])
	eventually(t, "they get older", func() bool { return time.Since(last.Time()) > age/2 })
	ids = append(ids, pack(t, n.bus, "6 7")...)
	gapBefore := func(first int) event.Gap {
		at := position(t, ids[first-1])
		return event.Gap{Position: at, Since: at.Add(age), Reason: event.Expired}
	}

	// look returns the first message that is left to who has seen another one.
	look := func(seen int) (first int) {
		page := history(t, n.bus, position(t, ids[seen]), end)
		var got []string
		for _, e := range page.Events {
			got = append(got, e.Cursor().String())
		}
		first = len(ids) - len(got)
		var gaps []event.Gap
		if first != seen+1 && first%each == 0 {
			gaps = append(gaps, gapBefore(first))
		}
		if !slices.Equal(got, ids[first:]) || first != seen+1 && gaps == nil || !slices.Equal(page.Gaps, gaps) {
			t.Fatalf("behind %d: got message %d as the first of %d, and %+v", seen, first, len(got), page.Gaps)
		}
		return first
	}
	for first, deadline := 0, time.Now().Add(patience); first < packs*each; {
		if first = look(max(1, first-3)); time.Now().After(deadline) {
			t.Fatalf("%d are left", len(ids)-first)
		}
	}
	logs := func(want string) {
		t.Helper()
		if length := server.Must("XLEN", "tt:{0}:log:a"); length != want {
			t.Fatalf("the log has %s entries, want %s", length, want)
		}
	}
	expired := func(left string) {
		t.Helper()
		for seen := range packs*each - 1 {
			if first := look(seen); first != packs*each {
				t.Fatalf("behind %d: message %d is left", seen, first)
			}
		}
		for _, seen := range []int{0, packs*each - 3} {
			read(t, n.bus, position(t, ids[seen]), last, gapBefore(packs*each))
			n.resume(ids[seen], "a").expect("gap a expired, " + left)
		}
	}
	logs("21") // no publish has cut off anything
	expired("a 6, a 7")
	ids = append(ids, pack(t, n.bus, "8 9")...)
	logs("2")
	expired("a 6, a 7, a 8, a 9")
}
