package web_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tickertape/internal/event"
	"tickertape/internal/hub"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
)

// numberBus is a bus that notes which numbers its messages came with.
type numberBus struct {
	hub.Bus
	numbers chan string
}

func (b *numberBus) Publish(ctx context.Context, messages []event.Message) ([]event.Receipt, error) {
	var numbers []string
	for _, m := range messages {
		numbers = append(numbers, fmt.Sprint(m.Producer, " ", m.Seq))
	}
	b.numbers <- strings.Join(numbers, ", ")
	return b.Bus.Publish(ctx, messages)
}

func TestPublishNumbersMessages(t *testing.T) {
	t.Parallel()
	bus := &numberBus{membus.New(membus.Options{}), make(chan string, 1)}
	n := startNode(t, nodetest.Options{Over: bus})
	for _, row := range []struct {
		request
		want string
	}{
		{postTo("?topic=t", "", "hi"), " 0"},
		{postTo("?topic=t&producer=p&seq=7", "", "hi"), "p 7"},
		{postTo("?topic=t&producer=p&seq=0008", jsonType, `{"data":1}`), "p 8"},
		{postTo("?topic=t&producer=a:b/c%20d&seq=0", jsonType, `[{"data":1},{"data":2,"topic":"u"},{"data":3}]`), "a:b/c d 0, a:b/c d 1, a:b/c d 2"},
		{postTo("?topic=t&producer=q&seq=9007199254740990", jsonType, `[{"data":1},{"data":2}]`), "q 9007199254740990, q 9007199254740991"},
	} {
		a := n.do(t, row.request)
		if got := <-bus.numbers; got != row.want || a.status != 200 {
			t.Errorf("%s: came as %q, want %q, and was answered %d %s", row.path, got, row.want, a.status, a.body)
		}
	}
}

func TestPublishRefusesBadNumbers(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	rows := map[string]refusal{
		"no seq":         refuse(400, postTo("?topic=t&producer=p", "", "hi"), "seq", "missing"),
		"no producer":    refuse(400, postTo("?topic=t&seq=1", "", "hi"), "producer", "missing"),
		"empty producer": refuse(400, postTo("?topic=t&producer=&seq=1", "", "hi"), "producer", "empty"),
		"long producer":  refuse(400, postTo("?topic=t&seq=1&producer="+strings.Repeat("p", 129), "", "hi"), "producer", "128"),
		"control":        refuse(400, postTo("?topic=t&seq=1&producer=%0a", "", "hi"), "producer", "control"),
		"not UTF-8":      refuse(400, postTo("?topic=t&seq=1&producer=%ff", "", "hi"), "producer", "UTF-8"),
		"end of numbers": refuse(400, postTo("?topic=t&producer=p&seq=9007199254740991", jsonType, `[{"data":1},{"data":2}]`), "seq", "9007199254740992"),
		"in the body":    refuse(400, postTo("?topic=t", jsonType, `{"data":1,"producer":"p","seq":1}`), "unknown", "producer"),
	}
	for _, seq := range []string{"", "-1", "%2b1", "1.0", "1e3", "0x1", "x", "1_0", "9007199254740992", "99999999999999999999"} {
		rows["seq="+seq] = refuse(400, postTo("?topic=t&producer=p&seq="+seq, "", "hi"), "seq", "number")
	}
	expectRefusals(t, n, rows)
}

// blankBus is a bus that knows no place of what it has already.
type blankBus struct{ hub.Bus }

func (blankBus) Publish(_ context.Context, messages []event.Message) ([]event.Receipt, error) {
	return slices.Repeat([]event.Receipt{{Topic: messages[0].Topic, Duplicate: true}}, len(messages)), nil
}

func TestDuplicateWithoutPlaceHasNoID(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{Over: blankBus{membus.New(membus.Options{})}})
	for want, r := range map[string]request{
		`{"topic":"t","duplicate":true}`:                                              postTo("?topic=t", "", "hi"),
		`{"results":[{"topic":"t","duplicate":true},{"topic":"t","duplicate":true}]}`: postTo("?topic=t", jsonType, `[{"data":1},{"data":2}]`),
	} {
		if a := n.do(t, r); string(a.body) != want || a.status != 200 {
			t.Errorf("answered %d %s, want %s", a.status, a.body, want)
		}
	}
}

// TestRepeatedSequenceIsSkipped: what a producer sends again is answered as
// before, as far as its place is known.
func TestRepeatedSequenceIsSkipped(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	type results struct{ Results []receipt }
	batch := func(seq, body string) []receipt {
		t.Helper()
		return decode[results](t, n.do(t, postTo("?topic=t&producer=p&seq="+seq, jsonType, body))).Results
	}
	one := decode[receipt](t, n.do(t, postTo("?topic=t&producer=p&seq=0", "", "0")))
	again := decode[receipt](t, n.do(t, postTo("?topic=t&producer=p&seq=0", "", "0")))
	if one.Duplicate || again != (receipt{"t", one.ID, true}) {
		t.Errorf("got %+v, and again %+v", one, again)
	}
	first := batch("1", `[{"data":1},{"data":2}]`)
	second := batch("0", `[{"data":0},{"data":1},{"data":2},{"data":3}]`)
	want := []receipt{{"t", "", true}, {"t", "", true}, {"t", first[1].ID, true}, {"t", second[3].ID, false}}
	if !slices.Equal(second, want) {
		t.Errorf("got %+v, want %+v", second, want)
	}
	var stored []string
	for _, e := range n.stored(t) {
		stored = append(stored, e.Data.Text)
	}
	if !slices.Equal(stored, []string{"0", "1", "2", "3"}) {
		t.Errorf("stored %q", stored)
	}
}
