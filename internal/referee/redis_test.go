package referee_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/redistest"
	"tickertape/internal/referee"
)

// A Redis that stands still, and goes on, loses nothing; publishers know in
// time where they are.
func TestFrozenRedis(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	a := c.Listen("a")
	c.Listen("b")
	stop := c.Publish(referee.Traffic{Rate: either(200, 1000), Publishers: either(32, 500)})
	flows(c, a, 50)
	c.Redis.Stop()
	time.Sleep(either(3*time.Second, 10*time.Second))
	c.Redis.Cont()
	flows(c, a, 50)
	stop()
	c.Finish(nil)
	promptly(t, c)
	if tally := c.Ledger.Tally(); full() && tally.NotStored == 0 {
		t.Errorf("nobody was told: %+v", tally)
	}
}

// A Redis that dies and comes back with all that it had is no loss to anyone.
func TestRestartedRedis(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{Redis: durable}, topics...)
	a := c.Listen("a")
	c.Listen("b")
	stop := c.Publish(referee.Traffic{Rate: either(300, 1000)})
	for range either(2, 10) {
		flows(c, a, 50)
		c.Redis.Restart()
	}
	flows(c, a, 50)
	stop()
	c.Finish(nil)
	promptly(t, c)
}

// A retry after an answer that came too late gets the first one's id.
func TestLateReplies(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	c.Listen("a")
	slow, other := c.Nodes()[0], c.Nodes()[1]
	slow.Proxy.Delay(redistest.Down, 3*time.Second)
	for i := range either(1, 5) {
		number, text := c.Ledger.Add("news", 0)
		m := event.Message{Topic: "news", Data: event.Data{Text: text}, IdempotencyKey: strconv.Itoa(i)}
		_, first := slow.Client.Publish(t.Context(), m)
		expectUnavailable(t, first)
		receipt, err := other.Client.Publish(t.Context(), m)
		if err != nil || i == 0 && !receipt.Duplicate {
			t.Errorf("the retry: %+v, %v", receipt, err)
		}
		if e, ok := errors.AsType[*client.Error](first); ok && e.Stored == "no" && receipt.Duplicate {
			t.Error("what was not stored is there already")
		}
		c.Ledger.Acknowledge(number, receipt.ID)
	}
	slow.Proxy.Delay(redistest.Down, 0)
	c.Finish(nil)
}

// What Redis took, announced and forgot, before its answer came, is not taken
// once more: those who heard it would have it twice.
func TestForgottenCallIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{}, topics...)
	mute, other := c.Nodes()[0], c.Nodes()[1]
	a := c.ListenAt(other, "a")
	c.Redis.Save()
	mute.Proxy.Stall(redistest.Down)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.Send(mute, "news", 0, false)
	}()
	flows(c, a, 1)
	other.Proxy.Refuse(true) // so the mute node is the first to meet what is left
	other.Proxy.Cut()
	c.Redis.Restart()
	mute.Proxy.Resume()
	<-sent
	other.Proxy.Refuse(false)
	c.Finish(referee.Gaps{"news": referee.MustLose})
	if tally := c.Ledger.Tally(); tally.Unknown != 1 {
		t.Errorf("the publisher was told something else: %+v", tally)
	}
}

// Redis cuts off a node that hears too slowly. The node catches up.
func TestOutputBufferLimit(t *testing.T) {
	t.Parallel()
	c := referee.Start(t, referee.Options{Size: 200 << 10}, "news")
	slow, other := c.Nodes()[0], c.Nodes()[1]
	a := c.ListenAt(slow, "a")
	c.ListenAt(other, "b")
	c.Redis.Must("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 512kb 1")
	slow.Proxy.Delay(redistest.Down, time.Hour)
	for sent := 0; hearing(c) == 2; sent++ {
		if sent > 50 {
			t.Fatal("Redis never cut the slow node off")
		}
		for range 10 {
			c.Send(other, "news", 0, false)
		}
	}
	slow.Proxy.Delay(redistest.Down, 0)
	c.Await("the node hears again", func() bool { return hearing(c) == 2 })
	flows(c, a, 1)
	c.Finish(nil)
}

// hearing returns how many nodes listen to what is published, as Redis sees it.
func hearing(c *referee.Cluster) int {
	return strings.Count(subscriptions(c), "laddr=")
}
