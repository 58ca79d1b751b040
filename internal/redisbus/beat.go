package redisbus

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

const (
	sweepEvery = 10  // beats
	sweepPage  = 100 // topics dropped by one call
	reportPage = 200 // losses reported by one call
)

// beat makes the clock go on, so that watermarks rise while nothing is
// published, and a subscription that hears nothing is found out; and it does
// what has to be done from time to time.
func (b *Bus) beat(ctx context.Context) {
	tick := time.NewTicker(b.options.Beat)
	defer tick.Stop()
	more := false
	for n := 0; ; n++ {
		if clock, err := b.readClock(ctx); err == nil {
			b.counts.beatsAccepted.Add(1)
			b.accepted(clock.Position)
			for b.report(ctx) {
			}
			for b.lapse(ctx) {
			}
			if n%sweepEvery == 0 {
				b.inspect(ctx)
			}
			if more || n%sweepEvery == 0 {
				more = b.sweep(ctx)
			}
		} else if ctx.Err() == nil {
			b.counts.beatsFailed.Add(1)
		}
		b.accord.forget(accordTime * b.options.Beat)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// readClock makes a call that only moves the clock.
func (b *Bus) readClock(ctx context.Context) (event.Clock, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	o := b.lane.do(ctx, newGroup(nil, nil, deadline))
	return o.clock, o.err
}

// report tells the store a page of what this node knows to be lost, and
// reports whether there may be more.
func (b *Bus) report(ctx context.Context) (more bool) {
	losses, in := b.witness.losses(reportPage)
	if len(losses) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	o := b.lane.do(ctx, newGroup(nil, losses, deadline))
	if o.err != nil || o.clock.Epoch != in {
		return false // the next beat tries again: another epoch takes none of them
	}
	b.witness.reported(losses, in)
	b.counts.reports.Add(uint64(len(losses)))
	b.log.Warn("the store lost events", slog.Int("topics", len(losses)))
	return len(losses) == reportPage
}

// inspect looks at what may be set while the server runs.
func (b *Bus) inspect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if info, err := b.reader().Info(ctx, "memory").Result(); err == nil {
		b.judge(infoFields(info)["maxmemory_policy"])
	}
}

// sweep drops a page of topics of which everything has expired, and reports
// whether there may be more.
func (b *Bus) sweep(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s := b.reader()
	old := b.witness.now().Position.Time().Add(-b.options.Retention.Age).UnixMilli()
	names, err := s.ZRangeArgs(ctx, redis.ZRangeArgs{Key: b.keys.topics(), ByScore: true, Start: "-inf", Stop: "(" + strconv.FormatInt(old, 10), Count: sweepPage}).Result()
	if err != nil || len(names) == 0 {
		return false
	}
	keys := []string{b.keys.clock(), b.keys.topics(), b.keys.names(), b.keys.due()}
	args := []any{b.options.Retention.Age.Milliseconds()}
	for _, name := range names {
		t := event.Topic(name)
		keys = append(keys, b.keys.log(t), b.keys.meta(t), b.keys.now(t), b.keys.nulls(t))
		args = append(args, name)
	}
	if err := b.scripts.sweep.Run(ctx, s, keys, args...).Err(); err != nil {
		b.log.Debug("the sweep failed", slog.Any("error", err))
		return false
	}
	return len(names) == sweepPage
}
