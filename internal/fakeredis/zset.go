package fakeredis

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type sortedSet map[string]float64

func newSet() sortedSet { return sortedSet{} }

// sorted returns the members by score, and those with the same one by name.
func (s sortedSet) sorted() []string {
	return slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		return cmp.Or(cmp.Compare(s[a], s[b]), cmp.Compare(a, b))
	})
}

func setAdd(x *execution, args []string) any {
	n, _, valid := score(args[2])
	if !valid {
		return Error("ERR value is not a valid float")
	}
	if len(args) != 4 {
		return errSyntax
	}
	s, of := obtain(x, args[1], newSet)
	if !of {
		return errType
	}
	_, had := s[args[3]]
	s[args[3]] = n
	if had {
		return int64(0)
	}
	return int64(1)
}

func setScore(x *execution, args []string) any {
	s, of := lookup[sortedSet](x, args[1])
	if !of {
		return errType
	}
	n, has := s[args[2]]
	if !has {
		return nil
	}
	return strconv.FormatFloat(n, 'g', 17, 64)
}

func setLength(x *execution, args []string) any {
	s, of := lookup[sortedSet](x, args[1])
	if !of {
		return errType
	}
	return int64(len(s))
}

func setRemove(x *execution, args []string) any {
	s, of := lookup[sortedSet](x, args[1])
	if !of {
		return errType
	}
	gone := int64(0)
	for _, member := range args[2:] {
		if _, has := s[member]; has {
			delete(s, member)
			gone++
		}
	}
	if gone > 0 && len(s) == 0 {
		x.drop(args[1])
	}
	return gone
}

// setRange is ZRANGE key start stop BYSCORE|BYLEX [LIMIT offset count].
func setRange(x *execution, args []string) any {
	if len(args) < 5 {
		return errSyntax
	}
	fits, problem := within(args[2], args[3], strings.ToUpper(args[4]))
	if problem != "" {
		return problem
	}
	offset, count := int64(0), int64(-1)
	if len(args) == 8 && strings.EqualFold(args[5], "LIMIT") {
		var first, second bool
		offset, first = number(args[6])
		count, second = number(args[7])
		if !first || !second {
			return errNumber
		}
	} else if len(args) != 5 {
		return errSyntax
	}
	s, of := lookup[sortedSet](x, args[1])
	if !of {
		return errType
	}
	found := []any{}
	if offset < 0 {
		return found
	}
	for _, member := range s.sorted() {
		if !fits(member, s[member]) {
			continue
		}
		if offset--; offset >= 0 {
			continue
		}
		if count >= 0 && int64(len(found)) == count {
			break
		}
		found = append(found, member)
	}
	return found
}

// within returns what tells whether a member is in the range.
func within(start, stop, by string) (fits func(member string, n float64) bool, problem Error) {
	switch by {
	case "BYSCORE":
		from, above, valid := score(start)
		to, below, validToo := score(stop)
		if !valid || !validToo {
			return nil, "ERR min or max is not a float"
		}
		return func(_ string, n float64) bool {
			return (n > from || !above && n == from) && (n < to || !below && n == to)
		}, ""
	case "BYLEX":
		from, above, valid := lexical(start)
		to, below, validToo := lexical(stop)
		if !valid || !validToo {
			return nil, "ERR min or max not valid string range item"
		}
		return func(member string, _ float64) bool {
			first, last := from(member), to(member)
			return (first > 0 || !above && first == 0) && (last < 0 || !below && last == 0)
		}, ""
	}
	return nil, errSyntax
}

// lexical returns what compares a member with a bound: "-", "+", "[member", or
// "(member", which excludes the member itself.
func lexical(bound string) (compare func(member string) int, excluded, valid bool) {
	switch {
	case bound == "-":
		return func(string) int { return 1 }, false, true
	case bound == "+":
		return func(string) int { return -1 }, false, true
	case bound == "" || bound[0] != '[' && bound[0] != '(':
		return nil, false, false
	}
	return func(member string) int { return cmp.Compare(member, bound[1:]) }, bound[0] == '(', true
}
