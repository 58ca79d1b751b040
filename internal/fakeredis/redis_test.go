package fakeredis_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tickertape/internal/fakeredis"
	"tickertape/internal/redistest"
)

// TestSameAsRedis sends the same to a real Redis, and compares the bytes that
// come back.
func TestSameAsRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	lua := fakeredis.NewLua()
	rapid.Check(t, func(t *rapid.T) {
		conn, err := net.Dial("tcp", server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		var got bytes.Buffer
		fake := fakeredis.New(fakeredis.Options{Run: "f", Now: time.Now, Lua: lua})
		peer := fake.Accept(func(b []byte) { got.Write(b) })
		all := [][]string{{"FLUSHALL"}, {"SCRIPT", "FLUSH"}}
		all = append(all, rapid.SliceOfN(drawCommand, 10, 60).Draw(t, "commands")...)
		for _, args := range all {
			got.Reset()
			request := encode(args)
			peer.Receive(request)
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			want := make([]byte, 0, 100)
			if want, err = readAnswer(answers, want); err != nil {
				t.Fatalf("%q: %v", args, err)
			}
			if said := scriptless(got.String()); said != scriptless(string(want)) {
				t.Fatalf("%q: Redis answers %q, and here it is %q", args, want, said)
			}
		}
	})
}

var placeInScript = regexp.MustCompile(` script: [0-9a-f]{40}, on @user_script[^\r]*`)

// scriptless leaves out in which line of a script an error was.
func scriptless(answer string) string { return placeInScript.ReplaceAllString(answer, "") }

func encode(args []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// readAnswer reads one answer and appends its bytes to dst.
func readAnswer(r *bufio.Reader, dst []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	dst = append(dst, line...)
	if err != nil || len(line) < 4 {
		return dst, err
	}
	n := 0
	_, _ = fmt.Sscanf(string(line[1:]), "%d", &n)
	switch {
	case line[0] == '$' && n >= 0:
		rest := make([]byte, n+2)
		for read := 0; read < len(rest); {
			m, err := r.Read(rest[read:])
			if err != nil {
				return dst, err
			}
			read += m
		}
		dst = append(dst, rest...)
	case line[0] == '*':
		for range n {
			if dst, err = readAnswer(r, dst); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// word draws from a few words, so that commands meet.
func word(of ...string) func(*rapid.T) string {
	return func(t *rapid.T) string { return rapid.SampledFrom(of).Draw(t, "word") }
}

func fixed(s string) func(*rapid.T) string { return func(*rapid.T) string { return s } }

var (
	key    = word("h", "z", "s", "x", "none")           // of any kind
	hash   = word("h", "h", "h", "h", "h", "s", "none") // mostly of one
	zset   = word("z", "z", "z", "z", "z", "h", "none")
	stream = word("x", "x", "x", "x", "x", "z", "none")
	field  = word("a", "b", "c")
	value  = word("", "1", "0-1", "some text")
	count  = word("0", "1", "2", "-1")
	place  = word("1-1", "1-2", "2-0", "2", "0-0", "(1-1", "(2-0", "-", "+", "x")
	at     = word("1-0", "1-1", "2-0", "2-7", "3-1", "0-0", "x", "5")
	low    = word("-inf", "1", "(1", "2", "-", "[a", "(b", "x")
	high   = word("+inf", "2", "(2", "3", "+", "[b", "(c", "x")
)

// forms are what commands look like. A script sorts what has no order.
var forms = [][]func(*rapid.T) string{
	{fixed("HSET"), hash, field, value}, {fixed("HSET"), hash, field, value, field, value},
	{fixed("HSET"), hash, field, value, field},
	{fixed("HGET"), hash, field}, {fixed("HMGET"), hash, field, field}, {fixed("HDEL"), hash, field, field},
	{fixed("HEXISTS"), hash, field}, {fixed("HLEN"), hash},
	{fixed("EVAL"), fixed("local k = redis.call('HKEYS', KEYS[1]) table.sort(k) return k"), fixed("1"), hash},
	{fixed("EVAL"), fixed("return #redis.call('HGETALL', KEYS[1])"), fixed("1"), hash},
	{fixed("GET"), key}, {fixed("SET"), key, value}, {fixed("SET"), key, value, fixed("PX"), word("100000", "0", "x")},
	{fixed("SET"), key, value, fixed("PX")}, {fixed("DEL"), key}, {fixed("UNLINK"), key, key},
	{fixed("PEXPIRE"), key, word("100000", "0", "-5", "x")},
	{fixed("EVAL"), fixed("local t = redis.call('PTTL', KEYS[1]) return t < 0 and t or t > 90000 and t <= 100000 and 'soon'"), fixed("1"), key},
	{fixed("XADD"), stream, at, field, value}, {fixed("XLEN"), stream},
	{fixed("XADD"), stream, word("4-1", "5-1", "6-1", "7-1"), fixed("prev"), value, fixed("data"), value},
	{fixed("XDEL"), stream, at, at},
	{fixed("XRANGE"), stream, place, place}, {fixed("XRANGE"), stream, place, place, fixed("COUNT"), word("1", "2", "3", "x")},
	{fixed("XREVRANGE"), stream, place, place}, {fixed("XREVRANGE"), stream, fixed("+"), fixed("-"), fixed("COUNT"), word("1", "2", "3", "x")},
	{fixed("XTRIM"), stream, fixed("MAXLEN"), fixed("="), word("0", "1", "2", "x")},
	{fixed("XTRIM"), stream, fixed("MINID"), fixed("="), at},
	{fixed("ZADD"), zset, word("1", "2", "2.5", "x"), field}, {fixed("ZREM"), zset, field}, {fixed("ZSCORE"), zset, field}, {fixed("ZCARD"), zset},
	{fixed("ZRANGE"), zset, low, high, fixed("BYSCORE")}, {fixed("ZRANGE"), zset, low, high, fixed("BYLEX")},
	{fixed("ZRANGE"), zset, low, high, fixed("BYSCORE"), fixed("LIMIT"), count, count},
	{fixed("ZRANGE"), zset, low, high, fixed("BYLEX"), fixed("LIMIT"), count, count},
	{fixed("MULTI")}, {fixed("EXEC")}, {fixed("PUBLISH"), field, value}, {fixed("PING")},
	{fixed("EVAL"), fixed("return {KEYS[1], ARGV[1], 3.7, true, false, 'unseen'}"), fixed("1"), key, value},
	{fixed("EVAL"), fixed("return {1, 'a', nil, 'unseen'}"), fixed("0")},
	{fixed("EVAL"), fixed("return {redis.call('SET', KEYS[1], 1.5), redis.call('GET', KEYS[1])}"), fixed("1"), key},
	{fixed("EVAL"), fixed("return redis.call('HGET', KEYS[1], 'a')"), fixed("1"), hash},
	{fixed("EVAL"), fixed("redis.call('SET', KEYS[1], 'kept') return redis.call('HGET', KEYS[1], 'a')"), fixed("1"), hash},
	{fixed("EVAL"), fixed("return {string.match(ARGV[1], '^(%d+)-(%d+)$')}"), fixed("0"), word("1-2", "12-345", "-1", "1-", "1-2-3", "a-1", "", " 1-2")},
	{fixed("EVAL"), fixed("return 1"), word("0", "1", "x")}, {fixed("EVALSHA"), fixed(one), fixed("0")},
	{fixed("SCRIPT"), fixed("LOAD"), fixed("return 1")},
}

// one is the hash of "return 1".
const one = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"

var drawCommand = rapid.Custom(func(t *rapid.T) []string {
	var args []string
	for _, draw := range rapid.SampledFrom(forms).Draw(t, "form") {
		args = append(args, draw(t))
	}
	return args
})
