package defects

// The lane: how redisbus stores what is published, once and for good.

const (
	laneGo      = "internal/redisbus/lane.go"
	callGo      = "internal/redisbus/call.go"
	callLua     = "internal/redisbus/publish/1_call.lua"
	verdictsLua = "internal/redisbus/publish/3_verdicts.lua"
	storeLua    = "internal/redisbus/publish/4_store.lua"
)

func ofLane() []Defect {
	return []Defect{
		{
			Name:  "retry-unfenced",
			About: "a call whose answer was lost is sent again, without the question whether it was taken",
			Edits: []Edit{{laneGo, `	if l.doubt != nil {
		return l.settle(ctx)
	}
`, `	if c := l.doubt; c != nil {
		l.doubt = nil
		l.queue.putBack(c.open())
	}
`}},
			Cases: []string{"replies-lost"},
		},
		{
			Name:  "late-copy-taken",
			About: "a call that was given up and sent again is taken when its first copy arrives after all",
			Edits: []Edit{{callLua, `if last and tonumber(last) >= call then`, `if false then`}},
			Cases: []string{"calls-overtaken"},
		},
		{
			Name:  "keys-unchecked",
			About: "idempotency keys are remembered and not looked at",
			Edits: []Edit{{verdictsLua, `redis.call('GET', m.once)`, `false`}},
			Cases: []string{"cut-anywhere"},
		},
		{
			Name:  "seqs-unchecked",
			About: "producers' numbers are remembered and not looked at",
			Edits: []Edit{{verdictsLua, `if m.seq > top.seq then`, `if true then`}},
			Cases: []string{"cut-anywhere"},
		},
		{
			Name:  "deadline-unchecked",
			About: "what comes to Redis after its deadline is stored all the same",
			Edits: []Edit{{verdictsLua, `if now > deadline then`, `if false then`}},
			Cases: []string{"redis-frozen-10s"},
		},
		{
			Name:  "unknown-as-no",
			About: "a publisher is told that a message is not stored while nobody knows",
			Edits: []Edit{{laneGo, `	maybe := !l.queue.withdraw(g)
`, `	maybe := l.queue.withdraw(g) && false
`}},
			Cases: []string{"delayed-3s-down"},
		},
		{
			Name:  "full-ignored",
			About: "what Redis has no memory for is announced and acknowledged all the same",
			Edits: []Edit{{storeLua, `redis.call('XADD'`, `redis.pcall('XADD'`}},
			Cases: []string{"out-of-memory"},
		},
		{
			Name:  "refused-stored",
			About: "messages are stored before their group is refused",
			Edits: []Edit{{storeLua, `    if group.verdict == 'ok' and not m.answer and not m.first then
      local t`, `    if not m.answer and not m.first then
      local t`}},
			Cases: []string{"refused-batches"},
		},
	}
}
