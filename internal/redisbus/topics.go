package redisbus

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"tickertape/internal/event"
)

// activePage is how many topics one call of active.lua looks at.
const activePage = 1000

// active says which of the topics had something at or after the millisecond of
// base, in the epoch.
func (b *Bus) active(ctx context.Context, epoch event.Epoch, base event.Position, topics []event.Topic) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	args := make([]any, 1, len(topics)+1)
	args[0] = base.MS
	for _, t := range topics {
		args = append(args, string(t))
	}
	answer, err := b.onPrimary(ctx, func(client *redis.Client) ([]any, error) {
		return b.scripts.active.Run(ctx, client, []string{b.keys.clock(), b.keys.topics()}, args...).Slice()
	})
	if err != nil {
		return nil, err
	}
	r := valueReader{values: answer}
	if of := r.text(); of != formatEpoch(epoch) {
		return nil, errTurned
	}
	_ = r.position() // of the clock
	active := make([]bool, len(topics))
	for len(r.values) > 0 {
		i := r.number()
		if r.failed || i < 1 || int(i) > len(topics) {
			return nil, errAnswer
		}
		active[i-1] = true
	}
	return active, nil
}

// listPage is how many names one call lists.
const listPage = 500

// Topics lists topics by name.
func (b *Bus) Topics(ctx context.Context, match *event.Selector, after event.Topic, limit int) ([]event.TopicInfo, error) {
	var found []event.Topic
	for from := after; len(found) < limit; {
		start := "-"
		if from != "" {
			start = "(" + string(from)
		}
		names, err := b.reader().ZRangeArgs(ctx, redis.ZRangeArgs{Key: b.keys.names(), ByLex: true, Start: start, Stop: "+", Count: listPage}).Result()
		if err != nil {
			return nil, unavailable(explain(err), false)
		}
		for _, name := range names {
			if from = event.Topic(name); match == nil || match.Match(from) {
				found = append(found, from)
			}
		}
		if len(names) < listPage {
			break
		}
	}
	return b.describe(ctx, found[:min(len(found), limit)])
}

// Active lists topics with something behind a position. It reads them in the order
// of their last events, page by page; those that get a new one meanwhile move to
// the end.
func (b *Bus) Active(ctx context.Context, match event.Selector, since event.Position, limit int) (event.Activity, error) {
	var a event.Activity
	found := map[event.Topic]struct{}{}
	for from, count := since.MS, listPage; ; {
		p, err := b.behind(ctx, from, count)
		if err != nil {
			return event.Activity{}, unavailable(explain(err), false)
		}
		if a.Epoch != (event.Epoch{}) && a.Epoch != p.Epoch {
			return event.Activity{}, unavailable(errElsewhere, false)
		}
		a.Epoch, a.Forgotten = p.Epoch, p.Forgotten
		for _, t := range p.Topics {
			if _, again := found[t]; !again && match.Match(t) && len(a.Topics) < limit {
				found[t] = struct{}{}
				a.Topics = append(a.Topics, t)
			}
		}
		switch {
		case len(p.Topics) < count, len(a.Topics) == limit:
			return a, nil
		case p.last == from:
			count *= 2 // more than a page in one millisecond
		}
		from = p.last
	}
}

// activity is a page of what a store knows of topics.
type activity struct {
	event.Activity
	last uint64 // milliseconds of the last of them
}

// behind reads a page.
func (b *Bus) behind(ctx context.Context, since uint64, count int) (activity, error) {
	answer, err := b.onPrimary(ctx, func(client *redis.Client) ([]any, error) {
		return b.scripts.behind.Run(ctx, client, []string{b.keys.clock(), b.keys.topics()}, since, count).Slice()
	})
	if err != nil {
		return activity{}, err
	}
	r := valueReader{values: answer}
	epoch, err := parseEpoch(b.keys.store(), r.text())
	_ = r.position() // of the clock
	a := activity{Activity: event.Activity{Epoch: epoch, Forgotten: r.position()}, last: uint64(r.number())}
	for len(r.values) > 0 {
		a.Topics = append(a.Topics, event.Topic(r.text()))
	}
	if err != nil || r.failed {
		return activity{}, errAnswer
	}
	return a, nil
}

// Topic describes one topic.
func (b *Bus) Topic(ctx context.Context, t event.Topic) (event.TopicInfo, bool, error) {
	infos, err := b.describe(ctx, []event.Topic{t})
	if err != nil || len(infos) == 0 {
		return event.TopicInfo{Topic: t}, false, err
	}
	return infos[0], true, nil
}

// describe describes those of the topics that the store knows.
func (b *Bus) describe(ctx context.Context, topics []event.Topic) ([]event.TopicInfo, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	metas := make([]*redis.SliceCmd, len(topics))
	lengths := make([]*redis.IntCmd, len(topics))
	_, err := b.reader().Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, t := range topics {
			metas[i] = p.HMGet(ctx, b.keys.meta(t), "last", "first", "kind", "ended", "count")
			lengths[i] = p.XLen(ctx, b.keys.log(t))
		}
		return nil
	})
	if err != nil {
		return nil, unavailable(explain(err), false)
	}
	epochs := b.witness.now()
	var infos []event.TopicInfo
	for i, t := range topics {
		last, known := metas[i].Val()[0].(string)
		if !known {
			continue
		}
		info := event.TopicInfo{Topic: t, Retained: int(lengths[i].Val()), Last: cursorAt(epochs, last)}
		mark, _ := metas[i].Val()[2].(string)
		info.Kind, _ = parseMark(mark)
		if count, ok := metas[i].Val()[4].(string); ok && info.Kind == event.KindLog && info.Retained > 0 {
			info.Retained, _ = strconv.Atoi(count) // an entry may have several
		}
		if ended, ok := metas[i].Val()[3].(string); ok {
			status, _, _ := strings.Cut(ended, " ")
			info.Status = event.Status(status)
		}
		if first, ok := metas[i].Val()[1].(string); ok && info.Retained > 0 {
			info.First = cursorAt(epochs, first)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// cursorAt returns the cursor of what stands at a position that the store
// wrote down.
func cursorAt(epochs event.Clock, position string) event.Cursor {
	p, err := event.ParsePosition(position)
	if err != nil {
		return event.Cursor{}
	}
	return event.Cursor{Epoch: epochs.EpochOf(p), Position: p}
}

// checkPrefix refuses prefixes that would spread the keys over a Cluster.
func checkPrefix(prefix string) error {
	open := strings.IndexByte(prefix, '{')
	if open < 0 || strings.IndexByte(prefix[open:], '}') < 2 || len(prefix) > 64 || strings.ContainsAny(prefix, " \r\n\t*?[]") {
		return errPrefix
	}
	return nil
}
