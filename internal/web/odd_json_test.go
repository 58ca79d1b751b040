package web_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"

	"tickertape/internal/nodetest"
)

// TestOddJSON: JSON that programs read differently is refused, whole, in each of
// the bodies that have it; what is odd but clear goes out as it came in.
func TestOddJSON(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	wide := func(order binary.AppendByteOrder, text string) (b []byte) {
		for _, unit := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, unit)
		}
		return b
	}
	const plain = `{"topic":"odd","data":"x"}`
	for name, x := range map[string]struct {
		text   string
		status int
	}{
		"a bomb of lists":          {`{"topic":"odd","data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400},
		"a bomb of objects":        {`{"topic":"odd","data":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `}`, 400},
		"lists without end":        {strings.Repeat("[", 1_000_000), 400},
		"a batch of batches":       {"[[" + plain + "]]", 400},
		"1,001 messages":           {"[" + strings.Repeat(plain+",", 1000) + plain + "]", 413},
		"1,000,000 nothings":       {"[" + strings.Repeat("0,", 1_000_000) + "0]", 400},
		"data twice":               {`{"topic":"odd","data":"x","data":"y"}`, 400},
		"a topic twice":            {`{"topic":"odd","topic":"other","data":"x"}`, 400},
		"a topic twice, escaped":   {`{"topic":"odd","\u0074opic":"other","data":"x"}`, 400},
		"a topic in capitals":      {`{"topic":"odd","Topic":"other","data":"x"}`, 400},
		"a field twice, within":    {`{"topic":"odd","data":{"a":1,"a":2}}`, 400},
		"an unknown field":         {`{"topic":"odd","data":1,"__proto__":{"topic":"other"}}`, 400},
		"UTF-16":                   {string(wide(binary.BigEndian, plain)), 400},
		"UTF-16 the other way":     {string(wide(binary.LittleEndian, "\ufeff"+plain)), 400},
		"UTF-16 with its mark":     {string(wide(binary.BigEndian, "\ufeff"+plain)), 400},
		"bytes that are no UTF-8":  {"{\"topic\":\"odd\",\"data\":\"\xc0\xae\"}", 400},
		"half a character":         {"{\"topic\":\"odd\",\"data\":\"\xed\xa0\x80\"}", 400},
		"half a pair":              {`{"topic":"odd","data":"\ud800"}`, 400},
		"half a pair, within":      {`{"topic":"odd","data":["\udc00\ud800"]}`, 400},
		"a number too long":        {`{"topic":"odd","data":` + strings.Repeat("9", 300<<10) + `}`, 413},
		"a number that is none":    {`{"topic":"odd","data":NaN}`, 400},
		"a number with a zero":     {`{"topic":"odd","data":01}`, 400},
		"a topic that is a number": {`{"topic":1e400,"data":1}`, 400},
		"a key that is a list":     {`{"topic":"odd","key":["a"],"data":1}`, 400},
		"a comment":                {`{"topic":"odd",/**/"data":1}`, 400},
		"a comma too many":         {`{"topic":"odd","data":1,}`, 400},
		"two messages":             {plain + plain, 400},
		"a message and NUL":        {plain + "\x00", 400},
		"nothing":                  {"", 400},
		"null":                     {"null", 400},
		"a seal":                   {")]}'\n" + plain, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectProblem(t, n.do(t, postTo("", jsonType, x.text)), x.status)
			if strings.ContainsAny(x.text, "\n") || x.text == "" || strings.HasPrefix(x.text, "[") {
				return
			}
			expectProblem(t, n.do(t, postTo("", ndjsonType, x.text)), x.status)
		})
	}
	t.Cleanup(func() {
		if stored := n.stored(t); len(stored) > 0 {
			t.Errorf("stored %v", stored)
		}
	})
}

// TestOddJSONThatIsClear: numbers keep their digits, and depth and length up to the
// limits change nothing.
func TestOddJSONThatIsClear(t *testing.T) {
	t.Parallel()
	n := startNode(t, nodetest.Options{})
	for i, data := range []string{`1e400`, `-0`, `1.0`, `0.1e-999999`, `123456789012345678901234567890.10`, `"\ud83d\ude00"`, `"\u0000"`, `{"__proto__":1,"":2," ":3}`,
		strings.Repeat("[", 500) + strings.Repeat("]", 500), `"` + strings.Repeat("x", 250<<10) + `"`, `{"a":{"a":1},"b":{"a":1}}`} {
		if a := n.do(t, postTo("?topic=clear", jsonType, `{"data":`+data+`}`)); a.status != 200 {
			t.Fatalf("%.100s: %d %s", data, a.status, a.body)
		}
		stored := n.stored(t)
		got := stored[len(stored)-1].Data
		if got.JSON {
			if got.Text != data || !json.Valid([]byte(got.Text)) {
				t.Errorf("%d: %.100s is stored as %.100s", i, data, got.Text)
			}
			continue
		}
		var want string
		if err := json.Unmarshal([]byte(data), &want); err != nil || got.Text != want {
			t.Errorf("%d: %.100s is stored as %.100q, %v", i, data, got.Text, err)
		}
	}
}
