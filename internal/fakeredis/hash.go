package fakeredis

import (
	"maps"
	"slices"
)

type hash map[string]string

func newHash() hash { return hash{} }

// sorted returns the fields in order. Redis has them as they were put in,
// which nobody may count on.
func (h hash) sorted() []string { return slices.Sorted(maps.Keys(h)) }

func (h hash) get(field string) any {
	if value, has := h[field]; has {
		return value
	}
	return nil
}

// withHash runs a command that reads a hash.
func withHash(x *execution, args []string, run func(hash) any) any {
	h, of := lookup[hash](x, args[1])
	if !of {
		return errType
	}
	return run(h)
}

func hashGet(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any { return h.get(args[2]) })
}

func hashGetMany(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any {
		values := make([]any, len(args)-2)
		for i, field := range args[2:] {
			values[i] = h.get(field)
		}
		return values
	})
}

func hashGetAll(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any {
		all := make([]any, 0, 2*len(h))
		for _, field := range h.sorted() {
			all = append(all, field, h[field])
		}
		return all
	})
}

func hashKeys(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any {
		keys := make([]any, 0, len(h))
		for _, field := range h.sorted() {
			keys = append(keys, field)
		}
		return keys
	})
}

func hashLength(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any { return int64(len(h)) })
}

func hashExists(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any {
		if _, has := h[args[2]]; has {
			return int64(1)
		}
		return int64(0)
	})
}

func hashSet(x *execution, args []string) any {
	if len(args)%2 != 0 {
		return Error("ERR wrong number of arguments for 'hset' command")
	}
	h, of := obtain(x, args[1], newHash)
	if !of {
		return errType
	}
	added := int64(0)
	for i := 2; i < len(args); i += 2 {
		if _, has := h[args[i]]; !has {
			added++
		}
		h[args[i]] = args[i+1]
	}
	return added
}

func hashDelete(x *execution, args []string) any {
	return withHash(x, args, func(h hash) any {
		gone := int64(0)
		for _, field := range args[2:] {
			if _, has := h[field]; has {
				delete(h, field)
				gone++
			}
		}
		if gone > 0 && len(h) == 0 {
			x.drop(args[1])
		}
		return gone
	})
}
