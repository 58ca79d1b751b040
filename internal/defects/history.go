package defects

// What has gone: how redisbus reads the history.

const (
	historyGo = "internal/redisbus/history.go"
	partGo    = "internal/redisbus/part.go"
	pieceGo   = "internal/redisbus/piece.go"
	sweepLua  = "internal/redisbus/sweep.lua"
)

func ofHistory() []Defect {
	return []Defect{
		{
			Name:  "trim-untold",
			About: "the history does not look for holes before and between events",
			Edits: []Edit{{historyGo, `if e.Prev.After(c.complete) {`, `if false {`}},
			Cases: []string{"hole-cut", "away-trimmed"},
		},
		{
			Name:  "expiry-untold",
			About: "the history of a topic of which nothing is left passes for complete",
			Edits: []Edit{{historyGo, `	case !end.After(c.wanted.Upto):
		c.hole(p, end)
`, `	case !end.After(c.wanted.Upto):
`}},
			Cases: []string{"quiet-topics"},
		},
		{
			Name:  "forgotten-untold",
			About: "topics are dropped from the books without a note up to where they may have had events",
			Edits: []Edit{{sweepLua, `redis.call('HSET', KEYS[1], 'forgotten', string.format('%.0f-%.0f', ms, seq))
`, ``}},
			Cases: []string{"quiet-topics"},
		},
		{
			Name:  "history-unbounded",
			About: "a read of the history goes on beyond the end of its range",
			Edits: []Edit{
				{partGo, `(entries, next *redis.XMessageSliceCmd) {
`, `(entries, next *redis.XMessageSliceCmd) {
	r.upto = event.Position{MS: 1 << 47}
`},
				{partGo, `end := slices.IndexFunc(events, func(e event.Event) bool { return e.Position.After(r.upto) })`, `end := -1`},
			},
			Cases: []string{"replays"},
		},
		{
			Name:  "demoted-read",
			About: "the history is read from a former primary that still answers",
			Edits: []Edit{
				{pieceGo, `b.isPresent(answer, known)`, `b != nil && known.Epoch.Number > 0 && len(answer) > 0`},
				{historyGo, `	if epochs.Epoch != p.epoch || c.page.Epoch != (event.Epoch{}) && c.page.Epoch != p.epoch {
		return false, errElsewhere // the feed will come to it
	}
	c.page.Epoch = p.epoch
`, `	c.page.Epoch = epochs.Epoch
`},
			},
			Cases: []string{"reads-astray"},
		},
	}
}
