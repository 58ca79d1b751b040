// Package bustest is the contract of hub.Bus as tests. Every bus runs it; a
// bus that passes can stand under a hub.
package bustest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/hub"
)

// Open makes a new, empty store with the given limits, and returns a function
// that gives each node its handle on it. A bus that serves its whole process
// may return the same handle each time. Its rules are those of this package, and it
// has MaxTopics at most.
type Open func(t *testing.T, limits event.Retention) (node func() hub.Bus)

// Run runs the contract.
func Run(t *testing.T, open Open) {
	for _, test := range slices.Concat(ofLogs(), ofKinds()) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open)
		})
	}
}

type promise struct {
	name string
	run  func(*testing.T, Open)
}

// ofLogs are the promises about the store, and about topics that are logs.
func ofLogs() []promise {
	return []promise{
		{"PositionsRise", positionsRise},
		{"BatchIsWhole", batchIsWhole},
		{"FeedIsUnbroken", feedIsUnbroken},
		{"FeedBeginsAtItsWatermark", feedBeginsAtItsWatermark},
		{"FedIsInHistory", fedIsInHistory},
		{"WatermarkFollowsTheClock", watermarkFollowsTheClock},
		{"RetryDoesNotDouble", retryDoesNotDouble},
		{"KeyOfAnotherMessageRefusesAll", keyOfAnotherMessageRefusesAll},
		{"RacingRetriesStoreOnce", racingRetriesStoreOnce},
		{"SequenceIsTakenOnce", sequenceIsTakenOnce},
		{"SequenceWithinABatch", sequenceWithinABatch},
		{"SequencesApart", sequencesApart},
		{"FailedSequenceIsForgotten", failedSequenceIsForgotten},
		{"SequenceBesideKeys", sequenceBesideKeys},
		{"RacingSendersOverlap", racingSendersOverlap},
		{"AnySenderDoublesNothing", anySenderDoublesNothing},
		{"HistoryKeepsItsBounds", historyKeepsItsBounds},
		{"PagesAddUp", pagesAddUp},
		{"LastBeginsAtItsFirst", lastBeginsAtItsFirst},
		{"TrimIsAGap", trimIsAGap},
		{"BytesAreLimited", bytesAreLimited},
		{"AgeIsAGap", ageIsAGap},
		{"ForgottenCannotBeExcluded", forgottenCannotBeExcluded},
		{"TopicsAreListed", topicsAreListed},
		{"EverythingComesBackAsItWas", everythingComesBackAsItWas},
		{"BatchesReadAsSingles", batchesReadAsSingles},
		{"BatchesAreKnownInPart", batchesAreKnownInPart},
		{"BatchEnds", batchEnds},
		{"RateIsOfAllNodes", rateIsOfAllNodes},
		{"RateOfManyAtOnce", rateOfManyAtOnce},
		{"RateOfAnyName", rateOfAnyName},
		{"RateIsNeverExceeded", rateIsNeverExceeded},
		{"SpendingEnds", spendingEnds},
	}
}

// ofKinds are those about other kinds of topics, and about how topics end.
func ofKinds() []promise {
	return []promise{
		{"RulesRefuse", rulesRefuse},
		{"TableKeepsTheNewest", tableKeepsTheNewest},
		{"TableKeysAreDeleted", tableKeysAreDeleted},
		{"TableKeysAreLimited", tableKeysAreLimited},
		{"TableBytesAreLimited", tableBytesAreLimited},
		{"TablePagesAddUp", tablePagesAddUp},
		{"DeletionsAreLimited", deletionsAreLimited},
		{"OldestDeletionsGo", oldestDeletionsGo},
		{"DeletionsExpire", deletionsExpire},
		{"TableExpiresAsAWhole", tableExpiresAsAWhole},
		{"EphemeralIsNotKept", ephemeralIsNotKept},
		{"EphemeralIsTakenOnce", ephemeralIsTakenOnce},
		{"TopicsAreLimited", topicsAreLimited},
		{"TopicsMakeRoom", topicsMakeRoom},
		{"EndIsAnEvent", endIsAnEvent},
		{"EndInEveryPage", endInEveryPage},
		{"EndedRefusesAll", endedRefusesAll},
		{"EndIsRepeated", endIsRepeated},
		{"RacingEndsEndOnce", racingEndsEndOnce},
		{"TopicLivesAgain", topicLivesAgain},
		{"LeaseIsBounded", leaseIsBounded},
		{"LeaseRunsOutOnce", leaseRunsOutOnce},
		{"LeaseIsRenewed", leaseIsRenewed},
		{"LeaseIsReplaced", leaseIsReplaced},
		{"LeaseGoesWithTheEnd", leaseGoesWithTheEnd},
		{"ActiveTopics", activeTopics},
		{"ForgottenActivity", forgottenActivity},
		{"AnyPublisherKeepsTheRules", anyPublisherKeepsTheRules},
		{"RacingPublishersKeepTheRules", racingPublishersKeepTheRules},
	}
}

// patience bounds every wait for something that has to happen.
const patience = 20 * time.Second

// wide is a Retention that nothing here reaches.
func wide() event.Retention {
	return event.Retention{Messages: 100_000, Bytes: 64 << 20, Age: time.Hour}
}

func message(topic, text string) event.Message {
	return event.Message{Topic: event.Topic(topic), Data: event.Data{Text: text}}
}

func messages(topic string, n int) []event.Message {
	list := make([]event.Message, n)
	for i := range list {
		list[i] = message(topic, fmt.Sprint(i))
	}
	return list
}

func publish(t *testing.T, bus hub.Bus, list ...event.Message) []event.Receipt {
	t.Helper()
	sent := slices.Clone(list)
	receipts, err := bus.Publish(t.Context(), sent)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	clear(sent) // it is ours again
	if len(receipts) != len(list) {
		t.Fatalf("%d receipts for %d messages", len(receipts), len(list))
	}
	for i, r := range receipts {
		if r.Topic != list[i].Topic {
			t.Fatalf("receipt %d is for %q, not %q", i, r.Topic, list[i].Topic)
		}
	}
	return receipts
}

func history(t *testing.T, bus hub.Bus, r event.Range) event.Page {
	t.Helper()
	page, err := bus.History(t.Context(), r)
	if err != nil {
		t.Fatalf("history %+v: %v", r, err)
	}
	last := page.After
	for _, e := range page.Events {
		if e.Topic != r.Topic || !e.Position.After(last) || e.Position.After(page.Upto) {
			t.Fatalf("history %+v: %v of %q stands behind %v, in a page up to %v", r, e.Position, e.Topic, last, page.Upto)
		}
		last = e.Position
	}
	return page
}

// all reads everything of a topic, without its gaps.
func all(t *testing.T, bus hub.Bus, topic string) []event.Event {
	t.Helper()
	return history(t, bus, event.Range{Topic: event.Topic(topic), Upto: now(t, bus)}).Events
}

func now(t *testing.T, bus hub.Bus) event.Position {
	t.Helper()
	clock, err := bus.Clock(t.Context())
	if err != nil {
		t.Fatalf("clock: %v", err)
	}
	return clock.Position
}

func texts(events []event.Event) []string {
	list := []string{}
	for _, e := range events {
		list = append(list, e.Data.Text)
	}
	return list
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// sink records a feed and checks its form.
type sink struct {
	t     *testing.T
	mu    sync.Mutex
	began bool
	from  event.Position // the first watermark
	mark  event.Position
	fed   []event.Event
	more  chan struct{} // closed and replaced by each stretch
}

func (s *sink) Feed(stretch event.Stretch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.began {
		s.began, s.from, s.mark = true, stretch.Clock.Position, stretch.Clock.Position
		if len(stretch.Events) > 0 {
			s.t.Errorf("the first stretch has events")
		}
	}
	if stretch.Broken {
		s.t.Errorf("the feed broke, though nothing happened to the store")
	}
	last := s.mark
	for _, e := range stretch.Events {
		if !e.Position.After(last) {
			s.t.Errorf("fed %v behind %v", e.Position, last)
		}
		last = e.Position
	}
	if last.After(stretch.Clock.Position) || s.mark.After(stretch.Clock.Position) {
		s.t.Errorf("the watermark went from %v to %v over an event at %v", s.mark, stretch.Clock.Position, last)
	}
	s.mark = stretch.Clock.Position
	s.fed = append(s.fed, stretch.Events...)
	close(s.more)
	s.more = make(chan struct{})
}

// Topics returns none: what a break leaves out, nothing here asks for.
func (s *sink) Topics() []event.Topic { return nil }

// events returns what was fed so far.
func (s *sink) events() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.fed)
}

// until waits until the condition holds over what was fed.
func (s *sink) until(what string, condition func(fed []event.Event, mark event.Position) bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		done, more := s.began && condition(s.fed, s.mark), s.more
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case <-deadline:
			s.t.Fatalf("in vain waited until %s", what)
		}
	}
}

// follow runs a feed of the bus that ends with the test, and waits until it
// has begun.
func follow(t *testing.T, bus hub.Bus) *sink {
	t.Helper()
	s := &sink{t: t, more: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bus.Run(ctx, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("the feed ended with %v", err)
		}
	})
	s.until("the feed begins", func([]event.Event, event.Position) bool { return true })
	return s
}

// eventually asks until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}
