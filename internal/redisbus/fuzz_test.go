package redisbus_test

import (
	"strconv"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

func netstrings(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strconv.Itoa(len(p)) + ":" + p)
	}
	return b.String()
}

// said is a message as packs have it.
func said(flags, name, key, data string) string { return netstrings(flags, name, key, data) }

// FuzzParseAnnouncement reads announcements. What is taken is in order, and
// lies within the announcement.
func FuzzParseAnnouncement(f *testing.F) {
	head := []string{"1.7", "run", "lane", "3", "5-0", "9-1"}
	f.Add(netstrings(append(head, "0")...))
	f.Add(netstrings(append(head, "2", "6-1", "0-0", "a", "2", said("t", "name", "key", "da:ta")+said("j", "", "", "1"), "9-1", "6-1", "a", "1", said("l", "1.6", "", "3-3"))...))
	f.Add(netstrings(append(head, "3", "6-0", "0-0", "a", "1", said("jk", "name", "key", "null"), "7-0", "6-0", "a", "1", said("ek", "", "", "failed"), "9-1", "0-0", "b", "2", said("tx", "", "", "x")+said("tx", "", "", "y"))...))
	f.Add(netstrings(append(head, "1", "6-0", "0-0", "a", "1", said("t?", "", "", "of no kind"))...))
	f.Add(netstrings(append(head, "1", "6-0", "0-0", "a", "2", said("t", "", "", "x")+said("t", "", "", "before the beginning"))...))
	f.Add(netstrings(append(head, "1", "6-7", "0-0", "a", "3", said("j", "", "", `{"a":1}`))...))
	f.Add(netstrings(append(head, "1", "4-0", "0-0", "a", "1", said("t", "", "", "before the beginning"))...))
	f.Add(netstrings(append(head, "2", "6-0", "0-0", "a", "1", said("l", "1.6", "", "3-3"), "9-1", "6-0", "a", "1", said("t", "", "", "behind a loss"))...))
	f.Add("-1:")
	f.Add("99999999999999999999:")
	f.Fuzz(func(t *testing.T, text string) {
		s, prev, err := redisbus.ParseAnnouncement(text)
		if err != nil {
			if len(s.Events)+len(s.Losses) > 0 {
				t.Error("it is refused and taken")
			}
			return
		}
		if !s.Clock.Position.After(prev) || s.Clock.Epoch.Store != 1 {
			t.Errorf("%v follows %v", s.Clock, prev)
		}
		last, length := prev, 0
		for _, e := range s.Events {
			if !e.Position.After(last) || e.Position.After(s.Clock.Position) || e.Epoch != s.Clock.Epoch {
				t.Errorf("%v stands behind %v, up to %v", e, last, s.Clock)
			}
			last = e.Position
			length += len(e.Topic) + len(e.Name) + len(e.Key) + len(e.Data.Text)
		}
		for _, l := range s.Losses {
			if !l.Gap.Position.After(last) || l.Gap.Position.After(s.Clock.Position) {
				t.Errorf("%v is lost behind %v, up to %v", l, last, s.Clock)
			}
		}
		if length > len(text) {
			t.Errorf("%d bytes of events in %d", length, len(text))
		}
	})
}

// FuzzParseAnswer reads the answers of the script that publishes. One that is taken has a
// receipt for each message.
func FuzzParseAnswer(f *testing.F) {
	f.Add("2.7 5-0 9-1 1700000000000 1 1.3 4-0 ok 9-0 1.3@2-0")
	f.Add("2.7 5-0 9-1 1700000000000 0 ok old 2.7@8-0")
	f.Add("2.7 5-0 9-1 1700000000000 0 ok old")
	f.Add("2.7 5-0 9-1 1700000000000 0 ok 1*2.7@8-0,9-0 9-1")
	f.Add("2.7 5-0 9-1 1700000000000 0 late")
	f.Add("2.7 5-0 9-1 1700000000000 0 reused:1")
	f.Add("2.7 5-0 9-1 1700000000000 0 reused:2")
	f.Add("2.7 5-0 9-1 1700000000000 0 reused:-1")
	f.Add("2.7 5-0 9-1 1700000000000 0 ok 8-0/3-1 9-0")
	f.Add("2.7 5-0 9-1 1700000000000 0 ended:1:failed")
	f.Add("2.7 5-0 9-1 1700000000000 0 ended:0:")
	f.Add("2.7 5-0 9-1 1700000000000 0 full:1:10:keys")
	f.Add("2.7 5-0 9-1 9 99999999999 ok")
	f.Add("fenced")
	messages := []event.Message{{Topic: "a"}, {Topic: "b"}}
	f.Fuzz(func(t *testing.T, answer string) {
		receipts, clock, err := redisbus.ParseAnswer(messages, answer)
		if err != nil {
			if len(receipts) > 0 {
				t.Error("it is refused and taken")
			}
			return
		}
		if len(receipts) != 2 || receipts[0].Topic != "a" || receipts[1].Topic != "b" || clock.Epoch.Store != 1 {
			t.Errorf("%q gives %+v at %+v", answer, receipts, clock)
		}
		for _, r := range receipts {
			if r.Cursor == (event.Cursor{}) && r.Duplicate {
				continue // older than what its producer is remembered for
			}
			if r.Cursor.Epoch.Store != 1 || !r.Duplicate && r.Cursor.Epoch != clock.Epoch {
				t.Errorf("%q gives %+v at %+v", answer, r, clock)
			}
			if _, err := event.ParseCursor(r.Cursor.String()); err != nil {
				t.Errorf("%q gives %+v, which is no cursor", answer, r)
			}
		}
	})
}

// FuzzParseEntry reads entries of a log of two messages, whatever their texts are.
func FuzzParseEntry(f *testing.F) {
	f.Add("5-1", "4-0", "name", "da\nta", "key", "t")
	f.Add("5-0", "4-0", "name", "data", "key", "t")
	f.Add("5-1", "", "", "", "", "")
	f.Add("x", "4-0", "", "1", "", "j")
	f.Add("5-1", "4-0", "", "failed", "", "ek")
	f.Fuzz(func(t *testing.T, id, prev, name, data, key, flags string) {
		one := said(flags, name, key, data)
		list, err := redisbus.ParseEntry(id, "prev", prev, "count", "2", "events", one+one)
		for _, count := range []string{"", "0", "-1", "1", "3", "99999999999"} {
			if _, err := redisbus.ParseEntry(id, "prev", prev, "count", count, "events", one+one); err == nil {
				t.Errorf("two messages are taken for %q", count)
			}
		}
		if err != nil {
			return
		}
		p, err := event.ParsePosition(id)
		q, errPrev := event.ParsePosition(prev)
		if err != nil || errPrev != nil || len(list) != 2 || list[1].Position != p || list[0].Position != p.Previous() || list[0].Kind != event.KindEphemeral && (list[0].Prev != q || list[1].Prev != p.Previous()) {
			t.Errorf("%q %q gives %+v", id, prev, list)
		}
		for _, e := range list {
			got := event.Event{Name: e.Name, Key: e.Key, Data: event.Data{Text: e.Data.Text}, End: e.End}
			if ends := strings.HasPrefix(flags, "e"); !ends && got != (event.Event{Name: name, Key: key, Data: event.Data{Text: data}}) || ends && e.End != event.Status(data) {
				t.Errorf("%q %q gives %+v", id, prev, e)
			}
		}
		if _, err := redisbus.ParseEntry(id); err == nil {
			t.Error("an entry without fields is taken")
		}
	})
}
