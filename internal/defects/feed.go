package defects

// The wire: how redisbus hears what is announced, and bridges what it missed.

const (
	feedGo    = "internal/redisbus/feed.go"
	activeLua = "internal/redisbus/active.lua"
)

// chainIgnored takes an announcement for the next one, whichever was before it.
// The chain finds out most of what else can go wrong in a feed, so some defects
// show only without it.
var chainIgnored = Edit{feedGo, `	case a.prev != f.clock.Position:
`, `	case false:
`}

func ofFeed() []Defect {
	return []Defect{
		{
			Name:  "chain-ignored",
			About: "a hole in the chain of announcements is passed over",
			Edits: []Edit{chainIgnored},
			Cases: []string{"announcements-lost"},
		},
		{
			Name:  "clock-first",
			About: "the clock is read before the subscription is confirmed, and the chain is not looked at",
			Edits: []Edit{chainIgnored,
				{feedGo, `	subscribed bool // once at least
`, `	subscribed bool // once at least
	early      event.Clock
`},
				{feedGo, `	sub, err := f.bus.subscribe(ctx)
`, `	early, err := f.bus.readClock(ctx)
	if err != nil {
		return err
	}
	f.early = early
	sub, err := f.bus.subscribe(ctx)
`},
				{feedGo, `	clock, err := f.bus.readClock(ctx)
	if err != nil {
		return err
	}
	stretch`, `	clock, err := f.early, error(nil)
	stretch`},
			},
			Cases: []string{"sub-killed-50"},
		},
		{
			Name:  "no-bridge",
			About: "nothing bridges what was missed before a new subscription, and the chain is not looked at",
			Edits: []Edit{chainIgnored, {feedGo, `	if err := f.bridge(ctx, sub); err != nil {
`, `	if f.began {
		f.heard = time.Now()
		f.bus.heard(f, nil)
	} else if err := f.bridge(ctx, sub); err != nil {
`}},
			Cases: []string{"sub-killed-once"},
		},
		{
			Name:  "break-unmended",
			About: "the logs are not told of a break in the feed: no repair after a reconnect",
			Edits: []Edit{{feedGo, `stretch.Broken = true`, `stretch.Broken = false`}},
			Cases: []string{"sub-killed-once"},
		},
		{
			Name:  "active-overlooked",
			About: "in a break, topics with new events pass for quiet ones",
			Edits: []Edit{{activeLua, `if tonumber(last) >= since then`, `if tonumber(last) < 0 then`}},
			Cases: []string{"sub-killed-once"},
		},
		{
			Name:  "beats-unheard",
			About: "beats need not come back: a dead subscription is not found out",
			Edits: []Edit{{feedGo, `return f.bus.overdue().After(f.clock.Position) && quiet > 2*beat`,
				`return false && f.bus.overdue().After(f.clock.Position) && quiet > 2*beat`}},
			Cases: []string{"deaf"},
		},
		{
			Name:  "other-epoch-heard",
			About: "announcements of another epoch or server are handed over, and the chain is not looked at",
			Edits: []Edit{chainIgnored, {feedGo, `	case a.epoch != f.clock.Epoch || a.run != sub.run:
`, `	case a.epoch != f.clock.Epoch && false:
`}},
			Cases: []string{"two-primaries"},
		},
	}
}
