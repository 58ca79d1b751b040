package fakeredis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Error and Status are kinds of answers.
type (
	Error  string
	Status string
)

const (
	okay      = Status("OK")
	errSyntax = Error("ERR syntax error")
	errNumber = Error("ERR value is not an integer or out of range")
)

// kind is what a command does to the data.
type kind uint8

const (
	reads kind = iota
	writes
	grows     // it writes, and is refused while memory is full
	announces // it changes nothing, and others hear of it
)

type command struct {
	run     func(x *execution, args []string) any
	least   int // words, its name among them
	kind    kind
	outside bool // scripts may not use it
}

// commands returns those that the bus and its scripts use, and a few for
// tests. Those that concern a connection are with its Peer.
func commands() map[string]command {
	return map[string]command{
		"DEL":       {run: remove, least: 2, kind: writes},
		"EVAL":      {run: eval, least: 3, outside: true},
		"EVALSHA":   {run: evalSHA, least: 3, outside: true},
		"FLUSHALL":  {run: flushAll, least: 1, kind: writes},
		"GET":       {run: get, least: 2},
		"HDEL":      {run: hashDelete, least: 3, kind: writes},
		"HEXISTS":   {run: hashExists, least: 3},
		"HGET":      {run: hashGet, least: 3},
		"HGETALL":   {run: hashGetAll, least: 2},
		"HKEYS":     {run: hashKeys, least: 2},
		"HLEN":      {run: hashLength, least: 2},
		"HMGET":     {run: hashGetMany, least: 3},
		"HSET":      {run: hashSet, least: 4, kind: grows},
		"INFO":      {run: info, least: 1},
		"PEXPIRE":   {run: expire, least: 3, kind: writes},
		"PING":      {run: pong, least: 1},
		"PTTL":      {run: timeToLive, least: 2},
		"PUBLISH":   {run: publish, least: 3, kind: announces},
		"SCRIPT":    {run: script, least: 2, outside: true},
		"SET":       {run: set, least: 3, kind: grows},
		"TIME":      {run: tell, least: 1},
		"UNLINK":    {run: remove, least: 2, kind: writes},
		"XADD":      {run: streamAdd, least: 5, kind: grows},
		"XDEL":      {run: streamDelete, least: 3, kind: writes},
		"XLEN":      {run: streamLength, least: 2},
		"XRANGE":    {run: streamRange, least: 4},
		"XREVRANGE": {run: streamReversed, least: 4},
		"XTRIM":     {run: streamTrim, least: 4, kind: writes},
		"ZADD":      {run: setAdd, least: 4, kind: grows},
		"ZCARD":     {run: setLength, least: 2},
		"ZRANGE":    {run: setRange, least: 4},
		"ZREM":      {run: setRemove, least: 3, kind: writes},
		"ZSCORE":    {run: setScore, least: 3},
	}
}

// number reads a whole number.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func remove(x *execution, args []string) any {
	n := int64(0)
	for _, key := range args[1:] {
		if x.item(key) != nil {
			x.drop(key)
			n++
		}
	}
	return n
}

func flushAll(x *execution, _ []string) any {
	x.server.data = NewData()
	return okay
}

func expire(x *execution, args []string) any {
	ms, valid := number(args[2])
	i := x.item(args[1])
	switch {
	case !valid:
		return errNumber
	case i == nil:
		return int64(0)
	case ms <= 0:
		x.drop(args[1])
	default:
		i.expires = x.ms() + ms
	}
	return int64(1)
}

func timeToLive(x *execution, args []string) any {
	switch i := x.item(args[1]); {
	case i == nil:
		return int64(-2)
	case i.expires == 0:
		return int64(-1)
	default:
		return i.expires - x.ms()
	}
}

func get(x *execution, args []string) any {
	i := x.item(args[1])
	if i == nil {
		return nil
	}
	s, of := i.value.(string)
	if !of {
		return errType
	}
	return s
}

func set(x *execution, args []string) any {
	i := &item{value: args[2]}
	if len(args) == 5 && strings.EqualFold(args[3], "PX") {
		ms, valid := number(args[4])
		if !valid {
			return errNumber
		}
		if ms <= 0 {
			return Error("ERR invalid expire time in 'set' command")
		}
		i.expires = x.ms() + ms
	} else if len(args) != 3 {
		return errSyntax
	}
	x.server.data.items[args[1]] = i
	return okay
}

func pong(*execution, []string) any { return Status("PONG") }

func publish(x *execution, args []string) any {
	return int64(x.server.publish(args[1], args[2]))
}

func tell(x *execution, _ []string) any {
	return []any{strconv.FormatInt(x.now.Unix(), 10), strconv.Itoa(x.now.Nanosecond() / 1000)}
}

func info(x *execution, args []string) any {
	if len(args) == 2 && args[1] == "memory" {
		return "# Memory\r\nmaxmemory_policy:noeviction\r\n"
	}
	return fmt.Sprintf("# Server\r\nredis_version:7.0.15\r\nrun_id:%s\r\n", x.server.options.Run)
}

// score reads a score, or the bound of a range of scores, which excludes the
// score itself if it begins with a parenthesis.
func score(s string) (n float64, excluded, valid bool) {
	s, excluded = strings.CutPrefix(s, "(")
	switch s {
	case "-inf":
		return math.Inf(-1), excluded, true
	case "+inf", "inf":
		return math.Inf(1), excluded, true
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, excluded, err == nil
}
