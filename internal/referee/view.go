package referee

// view is what a listener had.
type view struct {
	*Listener
	events []sighting
	gaps   []sightedGap
	odd    []string
	had    []int   // how many of each topic's events
	missed []int32 // which events it should have had and had not
}

func (x *Listener) view() *view {
	v := &view{Listener: x, had: make([]int, len(x.Topics))}
	v.events, v.gaps, v.odd = x.snapshot()
	return v
}

// hear goes through what a listener had, in order.
func (c *court) hear(v *view) {
	c.turn++
	for _, o := range v.odd {
		c.Fault(&c.Other, "%s: %s", v.Name, o)
	}
	last := placeOf(v.start)
	for _, s := range v.events {
		if !c.after(s.at, last) {
			c.Fault(&c.Disordered, "%s: %d came at %v, behind %v", v.Name, s.number, s.at, last)
		} else if c.fell(s.at, last) {
			c.Fault(&c.Disordered, "%s: %d came at %v, far below %v", v.Name, s.number, s.at, last)
		}
		last = s.at
		if began, ok := c.began[s.at.epoch]; !ok || began.After(s.at.position) {
			c.began[s.at.epoch] = s.at.position
		}
		e := &c.entries[s.number]
		i, fits := c.locate(s)
		switch {
		case e.topic != v.Topics[s.topic]:
			c.Fault(&c.Other, "%s: %d came of %s and was published to %s", v.Name, s.number, v.Topics[s.topic], e.topic)
		case c.had[i] == c.turn:
			c.Fault(&c.Doubled, "%s: %d came twice", v.Name, s.number)
		case !fits:
			c.Fault(&c.Doubled, "%s: %d came at %v, and for others it stands at %v", v.Name, s.number, s.at, c.events[i].at)
		case e.outcome == notStored:
			c.Fault(&c.Other, "%s: %d came, and its publisher was told that it is not stored", v.Name, s.number)
		}
		c.had[i] = c.turn
		c.events[i].kept = c.events[i].kept || v.Late
	}
}

// locate returns which event was seen, and whether its publish may stand there.
func (c *court) locate(s sighting) (index int32, fits bool) {
	first := &c.events[s.number]
	if first.at == (place{}) {
		first.at = s.at
	}
	if first.at == s.at {
		return s.number, true
	}
	// Stored again where its publisher asked once more; and not after it had
	// its answer.
	e := &c.entries[s.number]
	if c.allowed[e.topic] == NoLoss || first.at.epoch == s.at.epoch || e.at != (place{}) && s.at.epoch > e.at.epoch {
		return s.number, false
	}
	for _, i := range c.more[s.number] {
		if c.events[i].at == s.at {
			return i, true
		}
		if c.events[i].at.epoch == s.at.epoch {
			return i, false
		}
	}
	index = int32(len(c.events))
	c.events = append(c.events, happening{number: s.number, at: s.at})
	c.had = append(c.had, 0)
	c.topics[e.topic] = append(c.topics[e.topic], index)
	c.more[s.number] = append(c.more[s.number], index)
	return index, true
}

// again marks and counts what a listener had that was heard before.
func (c *court) again(v *view) {
	c.turn++
	for _, s := range v.events {
		if i, _ := c.locate(s); c.had[i] != c.turn && c.due(i, v) {
			c.had[i] = c.turn
			v.had[s.topic]++
		}
	}
}
