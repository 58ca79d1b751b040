package fakeredis

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// stream is a log. Entries are never changed, so copies may share them.
type stream struct {
	last    id // of all that there ever was
	entries []entry
}

type entry struct {
	id     id
	fields []string // names and values in turn
}

// id is an entry's.
type id struct{ ms, seq uint64 }

func (i id) compare(j id) int { return cmp.Or(cmp.Compare(i.ms, j.ms), cmp.Compare(i.seq, j.seq)) }

func (i id) String() string {
	return strconv.FormatUint(i.ms, 10) + "-" + strconv.FormatUint(i.seq, 10)
}

const errID = Error("ERR Invalid stream ID specified as stream command argument")

// parseID reads an id. Without a second part it has the given one.
func parseID(s string, seq uint64) (i id, valid bool) {
	ms, rest, whole := strings.Cut(s, "-")
	var err error
	if i.ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return id{}, false
	}
	if i.seq = seq; whole {
		i.seq, err = strconv.ParseUint(rest, 10, 64)
	}
	return i, err == nil
}

func newStream() *stream { return &stream{} }

// streamAdd is XADD key id field value …, with a whole id.
func streamAdd(x *execution, args []string) any {
	at, valid := parseID(args[2], 0)
	switch {
	case !valid:
		return errID
	case len(args)%2 == 0:
		return Error("ERR wrong number of arguments for 'xadd' command")
	case at == id{}:
		return Error("ERR The ID specified in XADD must be greater than 0-0")
	}
	if i := x.item(args[1]); i != nil {
		if s, of := i.value.(*stream); of && at.compare(s.last) <= 0 {
			return Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		}
	}
	s, of := obtain(x, args[1], newStream)
	if !of {
		return errType
	}
	s.last = at
	s.entries = append(s.entries, entry{at, slices.Clone(args[3:])})
	return at.String()
}

func streamLength(x *execution, args []string) any {
	s, of := lookup[*stream](x, args[1])
	switch {
	case !of:
		return errType
	case s == nil:
		return int64(0)
	}
	return int64(len(s.entries))
}

// streamTrim is XTRIM key MAXLEN = count, or XTRIM key MINID = id.
func streamTrim(x *execution, args []string) any {
	if len(args) != 5 || args[3] != "=" {
		return errSyntax
	}
	var over func(*stream) int
	switch strings.ToUpper(args[2]) {
	case "MAXLEN":
		keep, valid := number(args[4])
		if !valid || keep < 0 {
			return errNumber
		}
		over = func(s *stream) int { return max(0, len(s.entries)-int(keep)) }
	case "MINID":
		least, valid := parseID(args[4], 0)
		if !valid {
			return errID
		}
		over = func(s *stream) int {
			n, _ := slices.BinarySearchFunc(s.entries, least, func(e entry, at id) int { return e.id.compare(at) })
			return n
		}
	default:
		return errSyntax
	}
	s, of := lookup[*stream](x, args[1])
	if !of {
		return errType
	}
	if s == nil {
		return int64(0)
	}
	gone := over(s)
	s.entries = slices.Clone(s.entries[gone:])
	return int64(gone)
}

// streamDelete is XDEL key id …
func streamDelete(x *execution, args []string) any {
	s, of := lookup[*stream](x, args[1])
	switch {
	case !of:
		return errType
	case s == nil:
		return int64(0)
	}
	gone := make(map[id]struct{}, len(args)-2)
	for _, text := range args[2:] {
		at, valid := parseID(text, 0)
		if !valid {
			return errID
		}
		gone[at] = struct{}{}
	}
	before := len(s.entries)
	s.entries = slices.DeleteFunc(slices.Clone(s.entries), func(e entry) bool {
		_, drop := gone[e.id]
		return drop
	})
	return int64(before - len(s.entries))
}

func streamRange(x *execution, args []string) any { return ranged(x, args, args[2], args[3], false) }

func streamReversed(x *execution, args []string) any { return ranged(x, args, args[3], args[2], true) }

// ranged returns the entries from start to end, as many as COUNT says.
func ranged(x *execution, args []string, start, end string, reversed bool) any {
	from, above, valid := bound(start, 0)
	to, below, validToo := bound(end, math.MaxUint64)
	if !valid || !validToo {
		return errID
	}
	count := int64(math.MaxInt64)
	if len(args) == 6 && strings.EqualFold(args[4], "COUNT") {
		if count, valid = number(args[5]); !valid {
			return errNumber
		}
	} else if len(args) != 4 {
		return errSyntax
	}
	s, of := lookup[*stream](x, args[1])
	if !of {
		return errType
	}
	found := []any{}
	if s == nil {
		return found
	}
	for i := range s.entries {
		e := &s.entries[i]
		if reversed {
			e = &s.entries[len(s.entries)-1-i]
		}
		low, high := e.id.compare(from), e.id.compare(to)
		if low < 0 || above && low == 0 || high > 0 || below && high == 0 {
			continue
		}
		if int64(len(found)) >= count {
			break
		}
		found = append(found, []any{e.id.String(), list(e.fields)})
	}
	return found
}

// bound reads the bound of a range: "-", "+", an id, or "(" and an id, which
// is excluded then.
func bound(s string, seq uint64) (i id, excluded, valid bool) {
	switch s {
	case "-":
		return id{}, false, true
	case "+":
		return id{math.MaxUint64, math.MaxUint64}, false, true
	}
	s, excluded = strings.CutPrefix(s, "(")
	i, valid = parseID(s, seq)
	return i, excluded, valid
}

func list(words []string) []any {
	l := make([]any, len(words))
	for i, w := range words {
		l[i] = w
	}
	return l
}
