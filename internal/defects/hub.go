package defects

// The engine: package hub.

const (
	takeGo  = "internal/hub/take.go"
	viewGo  = "internal/hub/view.go"
	hubGo   = "internal/hub/hub.go"
	startGo = "internal/hub/start.go"
)

func ofHub() []Defect {
	return []Defect{
		{
			Name:  "watermark-last",
			About: "a stream reads the watermark behind the logs, not before them",
			Edits: []Edit{{takeGo, `		views, limit, ok := s.views(space[:0], mark.clock)
`, `		views, limit, ok := s.views(space[:0], mark.clock)
		if limit == mark.clock.Position {
			mark = s.hub.mark.Load()
			limit = mark.clock.Position
		}
`}},
			Cases: []string{"sub-killed-50", "sub-killed-once"},
		},
		{
			Name:  "seam-doubled",
			About: "what the log shares with the history is not dropped where the two meet",
			Edits: []Edit{{viewGo, `		src.page = nil
		return view{source: src, frames: behind(l.frames[l.head:], after), upto: now.Position, holed: l.holes > 0, mixed: mixed}, true
`, `		frames := behind(l.frames[l.head:], after)
		if src.page != nil {
			frames = l.frames[l.head:]
		}
		src.page = nil
		return view{source: src, frames: frames, upto: now.Position, holed: l.holes > 0, mixed: mixed}, true
`}},
			Cases: []string{"back-apart"},
		},
		{
			Name:  "gap-swallowed",
			About: "a hole is not told",
			Edits: []Edit{{takeGo, `return f.hole() && f.position().After(s.told[f.event.Topic]) &&`, `return false && f.position().After(s.told[f.event.Topic]) &&`}},
			Cases: []string{"replays", "away-trimmed"},
		},
		{
			Name:  "log-begins-early",
			About: "where a log begins is read a millisecond before its place among the logs is taken",
			Edits: []Edit{{hubGo, `func (h *Hub) join(t event.Topic, s *Subscriber, src *source) {
	h.mu.Lock()
`, `func (h *Hub) join(t event.Topic, s *Subscriber, src *source) {
	early := h.mark.Load().clock
	time.Sleep(time.Millisecond)
	h.mu.Lock()
`}, {hubGo, `newLog(t, h.options.Rules.Of(t), now)`, `newLog(t, h.options.Rules.Of(t), early)`}},
			Cases: []string{"come-and-go", "hubs-rolled"},
		},
		{
			Name:  "log-begins-amid",
			About: "a log may begin in the middle of a stretch: outside the feed's lock, for 50 µs behind each event",
			Edits: []Edit{{hubGo, `		h.append(&frame{event: e}, complete)
`, `		h.append(&frame{event: e}, complete)
		h.mu.RUnlock()
		time.Sleep(50 * time.Microsecond)
		h.mu.RLock()
`}},
			Cases: []string{"come-and-go", "hubs-rolled"},
		},
		{
			Name:  "cursor-first",
			About: "the cursor moves before the frames are handed out",
			Edits: []Edit{{takeGo, `	return dst, false
}

// forewarn tells`, `	s.cursor.Position = event.Latest(s.cursor.Position, limit)
	return dst, false
}

// forewarn tells`}},
			Cases: []string{"sub-killed-once"},
		},
		{
			Name:  "hole-told-late",
			About: "a hole is told only where it ends, behind other topics' events in it",
			Edits: []Edit{{takeGo, `		dst = s.forewarn(dst, views, next)
`, ``}},
			Cases: []string{"hole-cut"},
		},
		{
			Name:  "gap-misplaced",
			About: "a gap bears the epoch in which it is told, not the one in which it lies",
			Edits: []Edit{{takeGo, `ResumedAt: s.name(resumed)}`, `ResumedAt: resumed.String()}`}},
			Cases: []string{"redis-rdb", "cluster-partition"},
		},
		{
			Name:  "replay-quiet",
			About: "an opening replay tells of no hole before its opening, even of what went since",
			Edits: []Edit{{takeGo, `f.gap.Since.After(s.cursor.Opened)`, `f.position().After(s.cursor.Opened)`}},
			Cases: []string{"replays"},
		},
		{
			Name:  "replay-complains",
			About: "an opening replay tells of what was gone before it was asked for",
			Edits: []Edit{{takeGo, ` && f.gap.Since.After(s.cursor.Opened)`, ``}},
			Cases: []string{"replays"},
		},
		{
			Name:  "ahead-is-bad",
			About: "a cursor from a node that is further than this one passes for a bad one",
			Edits: []Edit{{startGo, `		s.settled = !event.Latest(s.cursor.Position, s.cursor.Opened).After(mark.clock.Position)
`, `		s.judge(mark.clock)
		s.settled = true
`}},
			Cases: []string{"clients-moved"},
		},
		{
			Name:  "slow-reader-skips",
			About: "a slow reader that has fallen out of the log goes on with what that still has",
			Edits: []Edit{{viewGo, `	case asked == part{} && l.epoch == now.Epoch && !l.floor.After(after):
`, `	case asked == part{} && l.epoch == now.Epoch && (!l.floor.After(after) || s.live):
`}},
			Cases: []string{"slow-readers"},
		},
		{
			Name:  "topics-unmerged",
			About: "a stream's topics are handed out one after the other, not by position",
			Edits: []Edit{{takeGo, `				next, found = v.frames[0].position(), true
`, `				next, found = v.frames[0].position(), true
				break
`}},
			Cases: []string{"sub-killed-once"},
		},
	}
}
