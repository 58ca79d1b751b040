package bustest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// racingPublishersKeepTheRules has several publishers on two nodes write to
// the same topics, repeat each other's messages, end and cancel them, all at
// once. Each run also leaves a topic with a lease behind: these have to end
// too.
func racingPublishersKeepTheRules(t *testing.T, open Open) {
	const publishers = 4
	node := open(t, wide())
	nodes := []hub.Bus{node(), node()}
	feeds := []*sink{follow(t, nodes[0]), follow(t, nodes[1])}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		author := &author{rt: rt, run: run}
		var scripts [publishers][][]event.Message
		for p := range scripts {
			for range rapid.IntRange(0, 6).Draw(rt, "calls") {
				scripts[p] = append(scripts[p], author.batch())
			}
			scripts[p] = append(scripts[p], abandon(rt, run, p))
		}
		j := newJudge(rt, run, nodes[run%2], feeds[(run+1)%2])
		var racers sync.WaitGroup
		for p, script := range scripts {
			racers.Go(func() {
				for _, batch := range script {
					receipts, err := nodes[p%2].Publish(t.Context(), batch)
					if !refusal(err) {
						t.Errorf("%+v: %v", batch, err)
					}
					j.heard(p, batch, receipts, err)
				}
			})
		}
		racers.Wait()
		j.check()
	})
	for r := range run {
		topic := fmt.Sprint("leased.", r+1, ".0")
		events := untilEnded(t, nodes[0], topic)
		if last := events[len(events)-1]; last.End == event.ProducerLost {
			expectLost(t, events, event.MinLease)
		}
	}
}

// abandon makes up the last message of a publisher: its topic has a lease, and
// sometimes somebody ends it.
func abandon(rt *rapid.T, run, publisher int) []event.Message {
	topic := fmt.Sprint("leased.", run, ".0")
	if publisher > 1 && rapid.IntRange(0, 3).Draw(rt, "cancel") == 0 {
		return []event.Message{end(topic, event.Cancelled)}
	}
	return []event.Message{leased(message(topic, fmt.Sprint(publisher)), event.MinLease)}
}

// refusal reports whether an error is one that publishers may meet here.
func refusal(err error) bool {
	_, invalid := errors.AsType[*event.InvalidError](err)
	_, ended := errors.AsType[*event.EndedError](err)
	_, full := errors.AsType[*event.TableFullError](err)
	return err == nil || invalid || ended || full
}
