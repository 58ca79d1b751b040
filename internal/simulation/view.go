package simulation

import (
	"slices"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// view is what a client has seen since it began, or since it was told that
// nothing counts any more that it had seen.
type view struct {
	client  *client
	base    event.Cursor // where it begins
	cursor  event.Cursor // where it stands
	stands  event.Cursor // where its stream does, which may be further
	seen    map[*fact]struct{}
	passed  map[*fact]struct{} // facts up to which all is seen, told, or excused
	unasked map[*fact]struct{} // what the opening replay leaves out
	gaps    []toldGap
	stream  int // number of the connection
}

// toldGap is a gap that the client was told of.
type toldGap struct {
	topic  event.Topic
	era    *era
	upto   event.Position
	stream int
}

// newView begins a view at the cursor that a stream opened with.
func newView(c *client, id string) *view {
	v := &view{client: c}
	cursor, err := parseCursor(id)
	if err != nil {
		c.fault("the stream opened with %q", id)
		return v
	}
	tip := c.world.eras[cursor.Epoch]
	if !cursor.Replaying() || tip == nil {
		v.begin(cursor)
		return v
	}
	v.begin(tip.place(cursor))
	left := map[event.Topic]int{}
	for x := tip.head; x != nil; x = x.parent {
		if x.at.After(cursor.Opened) {
			continue
		}
		if !x.loss() {
			left[x.topic]++
		}
		// By the clock of what was said last: a new primary's own may be behind it.
		old := !x.at.Add(c.world.limits.Age).After(cursor.Opened)
		if x.loss() || old || !tip.store.has(x) || cursor.Last > 0 && left[x.topic] > cursor.Last {
			v.unasked[x] = struct{}{}
		}
	}
	return v
}

// begin begins the view anew.
func (v *view) begin(at event.Cursor) {
	v.base, v.cursor, v.stands, v.gaps = at, at, at, nil
	v.seen, v.passed, v.unasked = map[*fact]struct{}{}, map[*fact]struct{}{}, map[*fact]struct{}{}
}

// connected takes in that the client came back, with the last id that it has.
func (v *view) connected() {
	v.stream++
	v.stands, _ = parseCursor(v.client.id)
}

// took takes in where the stream stands after a Take.
func (v *view) took() {
	c, err := parseCursor(v.client.sub.Cursor())
	if tip := v.client.world.eras[v.client.epoch]; err == nil && tip != nil {
		if _, leads := tip.in(c); leads {
			v.stands = tip.place(c)
		}
	}
}

// tip returns the era in which the stream is, if what the client has seen leads
// there.
func (v *view) tip() *era {
	tip := v.client.world.eras[v.client.epoch]
	if tip == nil {
		v.client.fault("has a stream in no epoch that there is: %v", v.client.epoch)
		return nil
	}
	if _, leads := tip.in(v.cursor); !leads {
		v.client.fault("stood at %s, and goes on in epoch %v without a word", said(v.cursor.String()), tip.epoch)
		return nil
	}
	return tip
}

// event takes in an event.
func (v *view) event(number int, id string) {
	c, err := parseCursor(id)
	tip := v.tip()
	if tip == nil {
		return
	}
	f := tip.find(c.Position)
	switch {
	case err != nil || f == nil || f.number != number || !tip.gave(c):
		v.client.fault("got message %d at %v, where %+v stands", number, c, f)
		return
	case !slices.Contains(v.client.topics, f.topic):
		v.client.fault("got message %d of %s", number, f.topic)
	}
	if _, again := v.seen[f]; again {
		v.client.fault("got message %d at %v twice", number, f.at)
	}
	for _, g := range v.gaps {
		if g.stream == v.stream && g.topic == f.topic && g.era == tip && !f.at.After(g.upto) {
			v.client.fault("got message %d at %v behind a gap up to %v", number, f.at, g.upto)
		}
	}
	v.seen[f] = struct{}{}
	v.client.at.knew(f)
	v.pass(tip, f.at)
	v.cursor = tip.place(c)
}

// complete takes in that the client has everything up to a cursor. It may go
// on from there when it comes back.
func (v *view) complete(id string, adopt bool) {
	c, err := parseCursor(id)
	tip := v.tip()
	if tip == nil || err != nil {
		return
	}
	v.pass(tip, c.Position)
	if adopt {
		v.client.id, v.cursor = id, tip.place(c)
	}
}

// pass checks that the client misses nothing up to a position.
func (v *view) pass(tip *era, p event.Position) {
	base, leads := tip.in(v.base)
	if !leads {
		v.client.fault("began at %+v, and comes to %v in %v", v.base, p, tip.epoch)
		return
	}
	var last *fact
	for x := tip.head; x != nil && x.at.After(base); x = x.parent {
		if x.at.After(p) {
			continue
		}
		if last == nil {
			last = x
		}
		if _, done := v.passed[x]; done {
			break
		}
		if !v.accounted(x) {
			v.client.fault("misses %s, and comes to %v without a word", v.client.world.word(x), p)
		}
	}
	if last != nil {
		v.passed[last] = struct{}{}
	}
}

// accounted reports whether the client has the fact, was told that it is gone,
// or need not have it.
func (v *view) accounted(f *fact) bool {
	if !slices.Contains(v.client.topics, f.topic) {
		return true
	}
	_, seen := v.seen[f]
	_, unasked := v.unasked[f]
	return seen || unasked || slices.ContainsFunc(v.gaps, func(g toldGap) bool {
		return g.topic == f.topic && g.covers(f)
	})
}

// told reports whether the stream has told that the fact is gone. It goes on
// from there, also in an epoch whose store still has it.
func (v *view) told(f *fact) bool {
	return slices.ContainsFunc(v.gaps, func(g toldGap) bool {
		return g.stream == v.stream && g.topic == f.topic && g.covers(f)
	})
}

// covers reports whether the gap is of a history that has the fact, and the fact
// before its end.
func (g toldGap) covers(f *fact) bool {
	return !f.at.After(g.upto) && g.era.has(f)
}

// gap takes in a gap.
func (v *view) gap(n hub.GapNotice, id string) {
	client := v.client
	c, err := parseCursor(n.ResumedAt)
	tip := client.world.eras[client.epoch]
	if err != nil || tip == nil || client.world.eras[c.Epoch] == nil || id != "" && id != n.ResumedAt || !slices.Contains(client.topics, n.Topic) {
		client.fault("got the gap %+v with the id %q", n, id)
		return
	}
	_, leads := tip.in(v.stands)
	_, known := tip.in(v.cursor)
	// The epoch in which that was found may be over by now, or lost too.
	in := client.world.eras[c.Epoch]
	if !leads && n.Reason == event.StoreLost && (!known || c.Position == in.began) {
		if _, leads := in.in(v.stands); leads || c.Position != in.began {
			client.fault("is to go on at %s in epoch %v, which it does not know", said(n.ResumedAt), tip.epoch)
		}
		if id != "" {
			v.begin(c)
		}
		return
	}
	if tip = v.tip(); tip == nil {
		return
	}
	if !tip.gave(c) {
		client.fault("is to go on at %s, which is no cursor in epoch %v", said(n.ResumedAt), tip.epoch)
	}
	v.checkGap(n, tip, c.Position)
	v.gaps = append(v.gaps, toldGap{n.Topic, tip, c.Position, v.stream})
	if id != "" {
		v.pass(tip, c.Position)
		v.cursor = tip.place(c)
	}
}

// checkGap checks that the gap speaks of something that is missing, and of
// nothing that is there.
func (v *view) checkGap(n hub.GapNotice, tip *era, p event.Position) {
	from, _ := tip.in(v.cursor)
	base, _ := tip.in(v.base)
	if !p.After(from) {
		v.client.fault("stands at %v, and is told of a gap up to %v", from, p)
	}
	lost, missing := false, false
	end := tip.store.forgotten()
	forgotten := end.After(from) && !p.After(end)
	for x := tip.head; x != nil && x.at.After(event.Latest(from, base)); x = x.parent {
		_, seen := v.seen[x]
		_, unasked := v.unasked[x]
		switch {
		case x.topic != n.Topic || x.at.After(p) || seen:
		case x.loss():
			lost = true
		case tip.store.has(x) && (unasked || v.told(x)):
		case tip.store.has(x):
			v.client.fault("was told of a gap (%s) up to %v, and %s is there", n.Reason, p, v.client.world.word(x))
		default:
			missing = true
		}
	}
	switch {
	case n.Reason == event.StoreLost && lost:
	case n.Reason == event.Trimmed && !tip.cut(n.Topic):
		v.client.fault("was told that something of %s was trimmed, and nothing of it ever was", n.Topic)
	case n.Reason != event.StoreLost && n.Reason != event.BadCursor && (missing || forgotten || tip.vague(n.Topic, from, p)):
		// What was forgotten is told as what the store has cut off since: it
		// knows the reason of its last cut only.
	default:
		v.client.fault("was told of a gap of %s (%s) from %v up to %v where nothing is missing (lost: %t, gone: %t)", n.Topic, n.Reason, from, p, lost, missing)
	}
}
