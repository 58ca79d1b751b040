package referee_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/referee"
)

// stage is a ledger and one listener of the topic a, whose stream the test
// plays.
type stage struct {
	*testing.T
	ledger   *referee.Ledger
	listener *referee.Listener
	handler  client.Handler
}

func newStage(t *testing.T) *stage {
	t.Helper()
	l := referee.NewLedger(0)
	x, err := referee.NewListener(l, "x", at(1), "a")
	if err != nil {
		t.Fatal(err)
	}
	return &stage{t, l, x, x.Handler()}
}

// publish notes a message and returns its number.
func (s *stage) publish(id string) int {
	number, _ := s.ledger.Add("a", 0)
	if id != "" {
		s.ledger.Acknowledge(number, id)
	}
	return number
}

func (s *stage) bring(number int, id, cursor string) {
	s.Helper()
	e := client.Event{Envelope: event.Envelope{Topic: "a", ID: id, Data: fmt.Appendf(nil, `"%d"`, number)}, Cursor: cursor}
	if err := s.handler.Event(e); err != nil {
		s.Error(err)
	}
}

func (s *stage) expect(kind, words string) {
	s.Helper()
	v := referee.Judge(s.ledger, []*referee.Listener{s.listener}, referee.Gaps{"a": referee.MayLose})
	expectVerdict(s.T, v, kind, words)
}

// A gap may be followed by what it speaks of only from another hub, which still
// has it.
func TestJudgeOfGapsOverConnections(t *testing.T) {
	t.Parallel()
	for again, kind := range map[bool]string{false: "disordered", true: ""} {
		s := newStage(t)
		s.publish(at(2))
		second := s.publish(at(3))
		s.handler.State(client.State{Connected: true})
		if err := s.handler.Gap(client.Gap{Topic: "a", Reason: event.Trimmed, After: at(1), ResumedAt: at(4)}); err != nil {
			t.Error(err)
		}
		if again {
			s.handler.State(client.State{Connected: true})
		}
		s.bring(second, at(3), at(3))
		s.expect(kind, "")
	}
}

// What its publisher left for unknown may have been stored before, not later.
func TestJudgeOfWhatWasLeft(t *testing.T) {
	t.Parallel()
	for after, kind := range map[time.Duration]string{-time.Second: "", 2 * time.Second: "other"} {
		s := newStage(t)
		number := s.publish("")
		s.ledger.Leave(number)
		id := at(uint64(time.Now().Add(after).UnixMilli()))
		s.bring(number, id, id)
		s.expect(kind, "")
	}
}

// A new epoch may begin a little below the one before, for what nobody had
// heard yet, and far below if nobody knew.
func TestJudgeOfEpochsBelow(t *testing.T) {
	t.Parallel()
	const hour = 3_600_000
	for _, c := range []struct {
		below   uint64
		unaware bool
		kind    string
	}{{2000, false, ""}, {hour, false, "disordered"}, {hour, true, ""}} {
		s := newStage(t)
		if c.unaware {
			s.ledger.Unaware()
		}
		for _, id := range []string{in(1, 2*hour), in(2, 2*hour-c.below)} {
			s.bring(s.publish(id), id, id)
		}
		s.expect(c.kind, "")
	}
}

// In the middle of a replay a stream's cursor stands where its event does, and
// says more.
func TestListenerOfAReplay(t *testing.T) {
	t.Parallel()
	for ms, kind := range map[uint64]string{2: "", 3: "other"} {
		s := newStage(t)
		number := s.publish(at(2))
		replaying := event.Cursor{Epoch: event.Epoch{Store: 1, Number: 1}, Position: event.Position{MS: ms}, Opened: event.Position{MS: 9}, Last: 5}
		s.bring(number, at(2), replaying.String())
		s.expect(kind, "")
	}
}

// A listener begins as it is told to, takes as much as it should, and goes on
// behind that.
func TestListenerSips(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("since") + r.Header.Get("Last-Event-ID")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "id: %s\nevent: hub.open\ndata: {}\n\n%s%s%s", at(1), show(2, "a", "0"), show(3, "a", "1"), show(4, "a", "2"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := newStage(t)
	for ms := range uint64(3) {
		s.publish(at(ms + 2))
	}
	s.listener.Begin(client.ListenOptions{All: true})
	s.listener.Sip(t.Context(), c, 2)
	if got := s.listener.Events(); got != 2 {
		t.Errorf("it took %d events", got)
	}
	s.listener.Sip(t.Context(), c, 1)
	if first, second := <-asked, <-asked; first != "all" || second != at(3) {
		t.Errorf("it asked for %q, then for what is behind %q", first, second)
	}
}
