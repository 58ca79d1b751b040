package sse_test

import (
	"math"
	"testing"
	"time"

	"tickertape/internal/sse"
)

// The bytes themselves: browsers, proxies and scripts in the field read them,
// not only the decoder next door.
func TestEncoderBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want string }{
		"unnamed":      {string(sse.AppendEvent(nil, "", "hi")), "data: hi\n\n"},
		"message":      {string(sse.AppendEvent(nil, "message", "hi")), "data: hi\n\n"},
		"named":        {string(sse.AppendEvent(nil, "news", "hi")), "event: news\ndata: hi\n\n"},
		"no data":      {string(sse.AppendEvent(nil, "", "")), "data: \n\n"},
		"line ends":    {string(sse.AppendEvent(nil, "", "a\nb\r\nc\rd")), "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		"ends last":    {string(sse.AppendEvent(nil, "", "a\n")), "data: a\ndata: \n\n"},
		"CR, CRLF":     {string(sse.AppendEvent(nil, "", "\r\r\n")), "data: \ndata: \ndata: \n\n"},
		"a space":      {string(sse.AppendEvent(nil, "", " a")), "data:  a\n\n"},
		"id":           {string(sse.AppendID(nil, "1-a_")), "id: 1-a_\n"},
		"hostile id":   {string(sse.AppendID(nil, "1\r\n\x00data: x")), "id: 1data: x\n"},
		"hostile name": {string(sse.AppendEvent(nil, "a\ndata: x\r\r", "y")), "event: adata: x\ndata: y\n\n"},
		"retry":        {string(sse.AppendRetry(nil, 1500*time.Millisecond)), "retry: 1500\n"},
		"no retry":     {string(sse.AppendRetry(nil, -time.Second)), "retry: 0\n"},
		"long retry":   {string(sse.AppendRetry(nil, math.MaxInt64)), "retry: 9223372036854\n"},
		"appends":      {string(sse.AppendEvent(sse.AppendRetry([]byte("x"), 0), "", "y")), "xretry: 0\ndata: y\n\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", name, c.got, c.want)
		}
	}
}
