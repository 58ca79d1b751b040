package event

import (
	"errors"
	"fmt"
	"time"
)

// InvalidError says what is wrong with something that a caller sent. Its text
// is meant for that caller.
type InvalidError struct {
	Field  string
	Reason string
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// ItemError wraps what is wrong with one message of a batch.
type ItemError struct {
	Index int // from 0
	Err   error
}

func (e *ItemError) Error() string { return fmt.Sprintf("message %d: %v", e.Index, e.Err) }
func (e *ItemError) Unwrap() error { return e.Err }

var (
	// ErrTooLarge says that a message's data is over MaxData.
	ErrTooLarge = fmt.Errorf("data is over the limit of %d KiB", MaxData>>10)

	// ErrKeyReused says that an idempotency key came again, within the time
	// that it is remembered, with another message.
	ErrKeyReused = errors.New("this idempotency_key was used for another message of this topic")

	// ErrTooManyTopics says that the message would begin a topic, and there are as
	// many as there may be.
	ErrTooManyTopics = errors.New("there are as many topics as there may be, and this message would begin one more; the hub's --max-topics says how many that is")
)

// EndedError says that a topic takes no messages any more.
type EndedError struct {
	Topic  Topic
	Status Status // how it ended
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("topic %q has ended: %s", e.Topic, e.Status)
}

// TableFullError says that a table has as many keys, or bytes, as it may have,
// and the message would add some.
type TableFullError struct {
	Topic Topic
	Limit string // "10000 keys", "16777216 bytes"
}

func (e *TableFullError) Error() string {
	return fmt.Sprintf("topic %q may not have more than %s; delete keys (data null), or raise the limit", e.Topic, e.Limit)
}

// UnavailableError says that a bus could not take a publish, or answer a
// question, for a reason that passes.
type UnavailableError struct {
	MaybeStored bool          // the messages may be stored all the same
	RetryAfter  time.Duration // when another try makes sense
	Err         error
}

func (e *UnavailableError) Error() string { return e.Err.Error() }
func (e *UnavailableError) Unwrap() error { return e.Err }
