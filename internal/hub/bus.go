package hub

import (
	"context"

	"tickertape/internal/event"
)

// Bus joins nodes and remembers. This is its contract; package bustest holds
// it as tests, which every bus runs.
//
// Order. A bus gives every accepted message a position, later than every one
// it gave before, by its own clock; positions are never repeated and never go
// back, whatever becomes of the store. The messages of one Publish stand next
// to each other in the order in which they were passed, and a Publish that
// begins after another one returned stands behind it.
//
// Atomicity. A Publish is taken whole or not at all. Once it has returned its
// receipts, History holds the events, every feed will hand them over, and the
// list of messages is its caller's again. If
// it fails, the error says whether the messages may be stored:
// an *event.ItemError (a message that the bus refuses) or an
// *event.UnavailableError without MaybeStored mean that they are not and
// never will be.
//
// Idempotency. A message with an idempotency key that its topic saw in the
// last five minutes, in this call or an earlier one, is not stored again: its
// receipt repeats the first one's cursor, with Duplicate. If its digest is
// another one, the whole Publish is refused with ErrKeyReused.
//
// Sequences. Of each producer and topic a bus remembers the highest Seq that it
// took, for a day after the last one. A message of that producer whose Seq is
// not higher is not stored: its receipt is a Duplicate, with the cursor of the
// message that has this very Seq if it is the highest one, else with none. So
// a producer that repeats all that was not acknowledged, in order, doubles
// nothing, whichever nodes it speaks to. A Publish that fails remembers
// nothing. A message with both is checked for its Seq first. A message that
// Follows one of another epoch is not taken, nor is anything of its Publish: the
// error is an *event.UnavailableError, and who sends it again sends it behind
// what came before.
//
// The feed. Run hands each sink stretches of the wire, first one without
// events whose watermark is where this feed begins. Together the stretches
// are unbroken: every event behind a watermark and not behind the next one is
// in the stretch between, once, in order of position, or the stretch says that
// it is broken: then History has what it leaves out, and nothing of the topics
// that it calls intact. By the time that an event is fed, History has it,
// unless it was trimmed since. Beats raise the watermark while nothing is
// published, so that it follows the store's clock. While a feed runs, topics of
// which everything has expired are dropped from the books.
//
// Epochs. A store that may have lost something is in another epoch from then
// on; its Clock says where the former ones ended. What a bus can prove to be
// lost beyond such an end is a Gap with the reason StoreLost, at a position
// behind everything that was fed: in the feed as a Loss, in History as a hole.
//
// Limits. Of a log no more messages are kept than the retention allows, and no
// fewer, unless their bytes or their age are over. A bus may keep some more bytes
// than that: as much as came at once with the oldest, 4 KiB at most. A message that
// would begin a topic, while there are as many in the books as there may be, is
// refused with event.ErrTooManyTopics; topics that are there take messages as before,
// and ephemeral ones do not count.
//
// Prev. Each event carries the topic's position before its own, or the
// forgotten position if the store does not know the topic. The forgotten
// position is the highest one of all topics that the store dropped from its
// books, zero if there was none. So an event is the next one for whoever is
// complete up to its Prev, and proves a hole for everyone else.
//
// History. A Page is complete from its After to its Upto: what is not in it
// is not in the store, and a Gap stands in it wherever something is missing.
// The bus finds that from Prev of the first event that is left, or, where
// none is left, from the topic's last position: if it lies behind After,
// everything up to it is gone. Where the store shows that nothing went, there
// is no Gap. Gaps and events of one page never share a position.
//
// Kinds. What is kept of a topic, the rules of the node say that takes a message,
// and each event bears it. A table keeps the newest event of each key; what
// a newer one supersedes is in no page and leaves no gap, and a page may so have
// events whose Prev lies behind the one before. An event whose data is null takes
// its key out and is kept itself for the retention's age, so that whoever comes back
// learns of it, though only the newest of them, as many as the rule allows keys; when
// it goes, that is a Gap for those who come from before it. A message that would take the
// table beyond the rule's keys, or the retention's bytes, is refused with an
// *event.TableFullError, but one that deletes a key or ends the topic never is;
// else a table's events stay until the whole topic has been without a message for
// the retention's age. Of an
// ephemeral topic nothing is kept: its events go over the wire, with a Prev of
// zero, it is in no list, and its History is empty and has no gaps.
//
// Ends. A message with an End is followed by an event that ends its topic, in the
// same step; an EndOnly one is that event alone. From then on every message to the
// topic is refused with an *event.EndedError, and so is all of its Publish, but
// for what was taken before: a retry by its key or number has its receipt. An ended
// topic takes messages again, in a new life, when everything of it has expired and
// it was dropped from the books.
//
// Leases. A topic with a lease that is without a message for so long, by the
// store's clock, ends as ProducerLost, once, whichever node notices; a message that
// comes before the end is written renews it. What ran out while no node could
// see it, since the store was away or had lost its memory, is given the
// lease's time once more, from when a node comes back to it; until then the topic is
// in the books. A lease longer than the retention's age is refused.
//
// Rates. Each name has a bucket of tokens, which holds its Burst, is full at first and
// fills by PerSecond; whoever publishes spends one for each message first. All nodes
// together take no more out of it than is in it; only who needs more than it holds
// has that of a full one, which is in debt then. A node may take ahead what comes in
// a tenth of a second. What it has not used of that within a second is lost, so there
// may be a little less for those who publish by many nodes, and never more. Of very
// many buckets those may be forgotten that were not used for long, and all of them by
// a store that lost its memory: they are full then.
//
// Contexts. Publish, Spend, Clock, History, Topics, Topic and Active return soon after their
// context ends: a hub has a few readers only, and one that hangs is lost to it.
type Bus interface {
	// Run feeds the sink until ctx ends, and returns ctx.Err() then. It
	// survives every fault of the store; an error that it returns by itself
	// will not mend. Several feeds may run on one bus.
	Run(ctx context.Context, sink event.Sink) error

	// Publish stores and announces the messages, all valid and at most
	// event.MaxBatch, and returns a receipt for each.
	Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error)

	// Spend takes n tokens, 1 to event.MaxBatch, out of the allowance's bucket. Without
	// as many it takes none, and returns an *event.RateError; else the error is an
	// *event.UnavailableError.
	Spend(ctx context.Context, a event.Allowance, n int) error

	// Clock reads the store's clock, after the call began.
	Clock(ctx context.Context) (event.Clock, error)

	// History reads a part of a topic. The caller owns the page.
	History(ctx context.Context, r event.Range) (event.Page, error)

	// Topics lists the topics that the selector matches (nil: all), in order
	// of their names, from behind after, at most limit.
	Topics(ctx context.Context, match *event.Selector, after event.Topic, limit int) ([]event.TopicInfo, error)

	// Topic describes one topic, and reports whether the store knows it.
	Topic(ctx context.Context, t event.Topic) (event.TopicInfo, bool, error)

	// Active lists topics that the selector matches and that may have something
	// behind a position, at most limit of them.
	Active(ctx context.Context, match event.Selector, since event.Position, limit int) (event.Activity, error)

	// Ready returns nil while the bus works, else why it does not.
	Ready() error

	// Name says what kind of bus it is, for people.
	Name() string
}
