package defects

// Lives: how topics end, by whose hand, and what is kept of tables.

const (
	booksLua = "internal/redisbus/publish/5_books.lua"
	watchGo  = "internal/web/watch.go"
	tableGo  = "internal/hub/table.go"
)

func ofEnds() []Defect {
	return []Defect{
		{
			Name:  "end-forgotten",
			About: "a message is taken behind the end of its topic",
			Edits: []Edit{{verdictsLua, `if status then`, `if status and false then`}},
			Cases: []string{"cancel-frozen"},
		},
		{
			Name:  "lease-by-its-date",
			About: "a lease runs out by the date that was noted first: later messages do not renew it",
			Edits: []Edit{{booksLua, `elseif t.lease and (t.added or t.prolonged) then`, `elseif t.lease and (t.leased or t.prolonged) then`}},
			Cases: []string{"producers-killed"},
		},
		{
			Name:  "lease-not-prolonged",
			About: "a lease that ran out while nobody could see it ends its topic at once",
			Edits: []Edit{{verdictsLua, `t.prolonged = tonumber(date) < unseen`, `t.prolonged = false`}},
			Cases: []string{"lease-outage"},
		},
		{
			Name:  "cancel-unheard",
			About: "a stream in whose topic was cancelled goes on until its next message",
			Edits: []Edit{{watchGo, `func(s event.Status) { w.in.close(&event.EndedError{Topic: t, Status: s}) }`, `func(event.Status) {}`}},
			Cases: []string{"cancel-frozen"},
		},
		{
			Name:  "older-kept",
			About: "of two changes of a key, a reader of the table who is behind gets the older one",
			Edits: []Edit{{tableGo, `		old.stale.Store(true)
`, `		f.stale.Store(true)
`}},
			Cases: []string{"table-conflated"},
		},
	}
}
