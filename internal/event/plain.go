package event

import "unicode/utf8"

// decodePlain reads a message as most of them come: an object with nothing but
// topic, event, key, data and idempotency_key, each once at most, all of them
// strings without an escape. It costs a third of decodeDocument. Of all else,
// right or wrong, it reports false.
func decodePlain(body []byte, d Defaults) (Message, bool) {
	r := plainReader{body: body}
	var seen [plainFields]bool
	m := Message{Topic: Topic(d.Topic), Name: d.Name, Key: d.Key, IdempotencyKey: d.IdempotencyKey, Lease: d.Lease}
	for before := byte('{'); r.mark(before); before = ',' {
		field, known := plainField(r.text())
		colon := r.mark(':')
		text := r.text()
		if r.failed || !colon || !known || seen[field] {
			return Message{}, false
		}
		seen[field] = true
		switch field {
		case plainTopic:
			m.Topic = Topic(text)
		case plainEvent:
			m.Name = string(text)
		case plainKey:
			m.Key = string(text)
		case plainData:
			m.Data.Text = string(text)
		case plainOnce:
			m.IdempotencyKey = string(text)
		}
	}
	whole := r.mark('}') && r.end()
	return m, whole && seen[plainData] && !(seen[plainEvent] && m.Name == "")
}

// The fields of a plain message.
const (
	plainTopic = iota
	plainEvent
	plainKey
	plainData
	plainOnce
	plainFields
)

func plainField(name []byte) (field int, known bool) {
	switch string(name) {
	case "topic":
		return plainTopic, true
	case "event":
		return plainEvent, true
	case "key":
		return plainKey, true
	case "data":
		return plainData, true
	case "idempotency_key":
		return plainOnce, true
	}
	return 0, false
}

// plainReader takes marks and strings off a body, and remembers the first string
// that it could not take.
type plainReader struct {
	body   []byte
	at     int
	failed bool
}

// mark takes the mark, and space before it, and reports whether it was there.
func (r *plainReader) mark(c byte) bool {
	for r.at < len(r.body) && isJSONSpace(r.body[r.at]) {
		r.at++
	}
	if r.at == len(r.body) || r.body[r.at] != c {
		return false
	}
	r.at++
	return true
}

// end reports whether nothing is left but space.
func (r *plainReader) end() bool {
	for ; r.at < len(r.body); r.at++ {
		if !isJSONSpace(r.body[r.at]) {
			return false
		}
	}
	return true
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// text takes a string and returns what stands between its quotes.
func (r *plainReader) text() []byte {
	if r.mark('"') {
		for i, c := range r.body[r.at:] {
			if c == '"' {
				text := r.body[r.at : r.at+i]
				r.at += i + 1
				r.failed = r.failed || !utf8.Valid(text)
				return text
			}
			if c < ' ' || c == '\\' {
				break
			}
		}
	}
	r.failed = true
	return nil
}
