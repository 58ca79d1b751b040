package fakeredis

import (
	"maps"
	"slices"
)

// Data is what a server holds.
type Data struct{ items map[string]*item }

// item is the value of a key: a string, a hash, a sortedSet or a *stream.
type item struct {
	value   any
	expires int64 // milliseconds; 0: never
}

// NewData returns no data.
func NewData() *Data { return &Data{items: map[string]*item{}} }

func (d *Data) clone() *Data {
	c := &Data{items: make(map[string]*item, len(d.items))}
	for key, i := range d.items {
		var value any
		switch v := i.value.(type) {
		case hash:
			value = maps.Clone(v)
		case sortedSet:
			value = maps.Clone(v)
		case *stream:
			value = &stream{last: v.last, entries: slices.Clone(v.entries)}
		default:
			value = v
		}
		c.items[key] = &item{value, i.expires}
	}
	return c
}

// item returns what a key has, or nil if it has nothing, or has expired.
func (x *execution) item(key string) *item {
	items := x.server.data.items
	i := items[key]
	if i != nil && i.expires > 0 && i.expires <= x.ms() {
		delete(items, key)
		return nil
	}
	return i
}

// errType is the answer to a command for another kind of value.
const errType = Error("WRONGTYPE Operation against a key holding the wrong kind of value")

// lookup returns the key's value; the zero one if it has none. It reports
// false if it is of another kind.
func lookup[T any](x *execution, key string) (value T, ok bool) {
	i := x.item(key)
	if i == nil {
		return value, true
	}
	value, ok = i.value.(T)
	return value, ok
}

// obtain returns the key's value, which it makes if there is none.
func obtain[T any](x *execution, key string, fresh func() T) (value T, ok bool) {
	if i := x.item(key); i != nil {
		value, ok = i.value.(T)
		return value, ok
	}
	value = fresh()
	x.server.data.items[key] = &item{value: value}
	return value, true
}

func (x *execution) drop(key string) { delete(x.server.data.items, key) }
