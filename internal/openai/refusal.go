package openai

import (
	"encoding/json"
	"io"
)

// maxRefusal bounds a body that says in place of a stream why there is none.
const maxRefusal = 64 << 10

// beginning reads from r and keeps how that began: who was refused, say for a
// wrong key, gets one JSON document and no stream.
type beginning struct {
	r    io.Reader
	kept []byte
}

func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.kept = append(b.kept, p[:min(n, maxRefusal-len(b.kept))]...)
	return n, err
}

// failure says why a body that had no event is not an answer.
func (b *beginning) failure() Failed {
	var refusal struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(b.kept, &refusal) == nil && isSet(refusal.Error) {
		return failure(refusal.Error)
	}
	return Failed{Message: `this is no stream of Chat Completions or Responses (was it asked for with "stream": true?)`}
}
