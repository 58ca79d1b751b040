package defects

// Epochs: what becomes of a store that may have lost something.

const (
	eventGo   = "internal/event/bus.go"
	beatGo    = "internal/redisbus/beat.go"
	witnessGo = "internal/redisbus/witness.go"
)

func ofEpochs() []Defect {
	return []Defect{
		{
			Name:  "epoch-unnoticed",
			About: "a server that came back older passes for the one before: neither run_id nor clock is compared",
			Edits: []Edit{{callLua, `local turns = not epoch or clock[3] ~= run or epoch == ARGV[4] and after(ARGV[14], wire)
  or numberOf(ARGV[4]) > numberOf(epoch)`,
				`local turns = not epoch`}},
			Cases: []string{"redis-rdb"},
		},
		{
			Name:  "losses-unreported",
			About: "a node keeps to itself what it knows to be lost",
			Edits: []Edit{{beatGo, `			for b.report(ctx) {
			}
`, ``}},
			Cases: []string{"redis-rdb"},
		},
		{
			Name:  "losses-unannounced",
			About: "losses are written down and not announced to streams that are past them",
			Edits: []Edit{{storeLua, `  announce(at, prev, t.name, 1, encode('l', m.key, m.texts))
`, ``}},
			Cases: []string{"late-witness"},
		},
		{
			Name:  "losses-unproven",
			About: "topics that came back whole are reported as lost too",
			Edits: []Edit{
				{witnessGo, `case l.epoch == w.clock.Epoch, known && !position.After(end):`, `case l.epoch == w.clock.Epoch || known && false && position.After(end):`},
				{verdictsLua, `    return after(p, ended)
`, `    return true
`},
			},
			Cases: []string{"redis-aof"},
		},
		{
			Name:  "wire-unwitnessed",
			About: "a node remembers what it was acknowledged, and not what it heard from others",
			Edits: []Edit{{feedGo, `		f.bus.note(e.Kind, e.Topic, e.Cursor())
`, `		_ = e
`}},
			Cases: []string{"hearsay"},
		},
		{
			Name:  "floor-unpassed",
			About: "positions may begin anew below those that were given out before",
			Edits: []Edit{{callGo, `	floor := l.bus.witness.floor()
`, `	var floor event.Position
`}},
			Cases: []string{"empty-late", "failover-late"},
		},
		{
			Name:  "cursor-unclamped",
			About: "a cursor beyond the end of its epoch stays where it is in the next one",
			Edits: []Edit{{eventGo, `	if end, ok := c.Ended[cursor.Epoch]; ok {
		return Earliest(cursor.Position, end), ""
`, `	if _, ok := c.Ended[cursor.Epoch]; ok {
		return cursor.Position, ""
`}},
			Cases: []string{"newcomer-first"},
		},
	}
}
