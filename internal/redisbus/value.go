package redisbus

import "tickertape/internal/event"

// valueReader takes values off an answer and remembers the first failure.
type valueReader struct {
	values []any
	failed bool
}

func (r *valueReader) next() any {
	if len(r.values) == 0 {
		r.failed = true
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

func (r *valueReader) text() string {
	s, ok := r.next().(string)
	r.failed = r.failed || !ok
	return s
}

func (r *valueReader) number() int64 {
	n, ok := r.next().(int64)
	r.failed = r.failed || !ok
	return n
}

// position reads a position; none at all is the zero one.
func (r *valueReader) position() event.Position {
	s := r.text()
	if s == "" {
		return event.Position{}
	}
	p, err := event.ParsePosition(s)
	r.failed = r.failed || err != nil
	return p
}
