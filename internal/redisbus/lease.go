package redisbus

import (
	"context"
	"log/slog"

	"tickertape/internal/event"
)

const (
	lapsePage = 50 // leases looked at by one call
	// lookTime is how many beats nobody looks at the leases until what ran out
	// meanwhile did so unseen; but not less than the shortest lease.
	lookTime = 3
)

// lapse is a lease that has run out, or had when somebody looked.
type lapse struct {
	topic event.Topic
	epoch event.Epoch
}

// lapse has a page of the leases looked at that have run out, and reports whether
// there may be more. The script that publishes judges them by what stands there
// then: a message, or another node, may have come first.
func (b *Bus) lapse(ctx context.Context) (more bool) {
	list, err := b.lapses(ctx)
	if err != nil {
		b.log.Debug("leases were not looked at", slog.Any("error", err))
		return false
	}
	if len(list) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	g := newGroup(nil, nil, deadline)
	g.lapses = list
	return b.lane.do(ctx, g).err == nil && len(list) == lapsePage
}

// lapses lists leases that have run out.
func (b *Bus) lapses(ctx context.Context) ([]lapse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	unseen := max(lookTime*b.options.Beat, event.MinLease)
	answer, err := b.scripts.due.Run(ctx, b.reader(), []string{b.keys.clock(), b.keys.due()}, unseen.Milliseconds(), lapsePage).StringSlice()
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	epoch, err := parseEpoch(b.keys.store(), answer[0])
	if err != nil {
		return nil, err
	}
	list := make([]lapse, len(answer)-1)
	for i, t := range answer[1:] {
		list[i] = lapse{event.Topic(t), epoch}
	}
	return list, nil
}
