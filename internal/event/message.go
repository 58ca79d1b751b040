package event

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultName is the event name of a message that has none: what a browser
// hands to onmessage.
const DefaultName = "message"

// Data is what a message carries: a text that goes out as it is, or a JSON
// value in compact form.
type Data struct {
	Text string
	JSON bool
}

// IsNull reports whether it is the JSON value that deletes a key of a table.
func (d Data) IsNull() bool { return d.JSON && d.Text == "null" }

// Message is what a publisher sends. The zero Name means DefaultName.
type Message struct {
	Topic          Topic
	Name           string
	Key            string
	Data           Data
	IdempotencyKey string
	// Producer names who numbers its messages; Seq is this one's number. A
	// producer's numbers rise within each topic. Without a Producer, Seq
	// means nothing.
	Producer string
	Seq      int64
	// Follows is the epoch in which the one before was taken, of the messages
	// that a numbering producer sends in one stream; zero: there is none before,
	// or it does not matter. If the store is in another epoch by then, what came
	// before may be lost and come again, so this one has to wait for it.
	Follows Epoch

	// End ends the topic: behind this message, or, if it is EndOnly, with
	// nothing but the end. Data, Name and Key mean nothing then.
	End     Status
	EndOnly bool
	// Lease is for how long this topic may be without a message, from this
	// one on; when it runs out, the topic ends as ProducerLost. A message
	// without one renews the lease that the topic has.
	Lease time.Duration
}

// Validate reports the first thing that is wrong with m: an InvalidError, or
// ErrTooLarge.
func (m Message) Validate() error {
	if _, err := ParseTopic(string(m.Topic)); err != nil {
		return err
	}
	if err := checkName(m.Name); err != nil {
		return err
	}
	if err := checkText("key", m.Key, MaxKey); err != nil {
		return err
	}
	if err := checkText("idempotency_key", m.IdempotencyKey, MaxIdempotencyKey); err != nil {
		return err
	}
	if err := checkText("producer", m.Producer, MaxProducer); err != nil {
		return err
	}
	if m.Seq < 0 || m.Seq > MaxSeq {
		return invalid("seq", "is %d; use a number from 0 to %d", m.Seq, int64(MaxSeq))
	}
	if len(m.Data.Text) > MaxData {
		return ErrTooLarge
	}
	if !utf8.ValidString(m.Data.Text) {
		return invalid("data", "is not valid UTF-8")
	}
	if m.Lease != 0 {
		if err := checkLease(m.Lease); err != nil {
			return err
		}
	}
	return m.validateEnd()
}

// validateEnd reports what is wrong with the message as an end.
func (m Message) validateEnd() error {
	switch {
	case m.End == "" && !m.EndOnly:
		return nil
	case m.EndOnly && (m.Data != Data{} || m.Name != "" || m.Key != ""):
		return invalid("data", "is missing, but event or key is there: an end by itself has neither")
	case m.Lease != 0:
		return invalid("lease", "is of no use for a topic that ends with this message")
	}
	_, err := ParseStatus(string(m.End))
	return err
}

// checkName refuses the names that browsers and the hub give a meaning of
// their own: an event "error" would fire a page's onerror, "open" its onopen.
func checkName(name string) error {
	if err := checkText("event", name, MaxName); err != nil {
		return err
	}
	switch {
	case name == "error", name == "open":
		return invalid("event", "%q is reserved: browsers fire their own %s handler for it", name, name)
	case reserved(name):
		return invalid("event", "%q is reserved: names that begin with hub. are the hub's own", name)
	}
	return nil
}

// reserved reports whether the name has a meaning of its own for browsers or
// hubs.
func reserved(name string) bool {
	return name == "error" || name == "open" || name == "hub" || strings.HasPrefix(name, "hub.")
}

func checkText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return invalid(field, "is %d bytes long; at most %d are allowed", len(s), limit)
	case !utf8.ValidString(s):
		return invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return invalid(field, "has a control character")
	}
	return nil
}

// Digest identifies what the message says, whatever its idempotency key: a
// retry has the same digest, another message with the same key has not.
func (m Message) Digest() [sha256.Size]byte {
	h := sha256.New()
	kind := byte(0)
	if m.Data.JSON {
		kind = 1
	}
	if m.EndOnly {
		kind = 2
	}
	buf := []byte{kind}
	fields := []string{string(m.Topic), m.Name, m.Key, m.Data.Text}
	if m.End != "" {
		fields = append(fields, string(m.End))
	}
	for _, field := range fields {
		buf = binary.AppendUvarint(buf, uint64(len(field)))
		buf = append(buf, field...)
	}
	h.Write(buf)
	return [sha256.Size]byte(h.Sum(nil))
}
