package fakeredis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Lua runs scripts. It compiles each of them once. Any number of servers may
// share it, also in goroutines of their own.
type Lua struct {
	mu       sync.Mutex
	compiled map[string]*lua.FunctionProto // by the script's hash
	idle     []*machine
}

// NewLua returns a Lua that knows no script yet.
func NewLua() *Lua { return &Lua{compiled: map[string]*lua.FunctionProto{}} }

// machine is one state of the language. It runs one script at a time.
type machine struct {
	state     *lua.LState
	execution *execution
}

func newMachine() *machine {
	m := &machine{state: lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 1 << 14, RegistryMaxSize: 1 << 20})}
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		open(m.state)
	}
	m.state.SetTop(0)
	library := m.state.GetGlobal("string").(*lua.LTable)
	library.RawSetString("match", m.state.NewFunction(match(library.RawGetString("match").(*lua.LFunction).GFunction)))
	redis := m.state.NewTable()
	redis.RawSetString("call", m.state.NewFunction(m.call))
	m.state.SetGlobal("redis", redis)
	return m
}

// take returns a machine that nobody uses, and the compiled script.
func (l *Lua) take(hash, source string) (*machine, *lua.FunctionProto, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	proto, known := l.compiled[hash]
	if !known {
		chunk, err := parse.Parse(strings.NewReader(source), "user_script")
		if err != nil {
			return nil, nil, err
		}
		if proto, err = lua.Compile(chunk, "user_script"); err != nil {
			return nil, nil, err
		}
		l.compiled[hash] = proto
	}
	last := len(l.idle) - 1
	if last < 0 {
		return newMachine(), proto, nil
	}
	m := l.idle[last]
	l.idle = l.idle[:last]
	return m, proto, nil
}

func (l *Lua) giveBack(m *machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, m)
}

// run runs a script and returns its answer.
func (l *Lua) run(x *execution, hash, source string, keys, args []string) any {
	m, proto, err := l.take(hash, source)
	if err != nil {
		return Error("ERR Error compiling script (new function): " + err.Error())
	}
	defer l.giveBack(m)
	m.execution = x
	m.state.SetGlobal("KEYS", strings2table(m.state, keys))
	m.state.SetGlobal("ARGV", strings2table(m.state, args))
	m.state.Push(m.state.NewFunctionFromProto(proto))
	defer m.state.SetTop(0)
	if err := m.state.PCall(0, 1, nil); err != nil {
		return refusal(err, hash)
	}
	return fromLua(m.state.Get(1))
}

// match returns string.match as the library has it, but for the one pattern by
// which the scripts take positions apart, all the time: the library compiles
// each pattern anew, which takes a tenth of a simulation's time.
func match(library lua.LGFunction) lua.LGFunction {
	return func(l *lua.LState) int {
		text, of := l.Get(1).(lua.LString)
		if pattern, _ := l.Get(2).(lua.LString); !of || l.GetTop() != 2 || pattern != "^(%d+)-(%d+)$" {
			return library(l)
		}
		first, second, _ := strings.Cut(string(text), "-")
		if !digits(first) || !digits(second) {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(lua.LString(first))
		l.Push(lua.LString(second))
		return 2
	}
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// refusal words the error that ended a script.
func refusal(err error, hash string) Error {
	var raised *lua.ApiError
	if errors.As(err, &raised) {
		if t, ok := raised.Object.(*lua.LTable); ok {
			return Error(fmt.Sprintf("%s script: %s, on @user_script.", lua.LVAsString(t.RawGetString("err")), hash))
		}
		return Error(fmt.Sprintf("ERR %s script: %s, on @user_script.", raised.Object, hash))
	}
	return Error("ERR " + err.Error())
}

// call is redis.call.
func (m *machine) call(l *lua.LState) int {
	args := make([]string, l.GetTop())
	for i := range args {
		switch v := l.Get(i + 1).(type) {
		case lua.LString:
			args[i] = string(v)
		case lua.LNumber:
			args[i] = strconv.FormatFloat(float64(v), 'g', 17, 64)
			if n := int64(v); float64(n) == float64(v) {
				args[i] = strconv.FormatInt(n, 10)
			}
		default:
			m.raise(l, "ERR Lua redis lib command arguments must be strings or integers")
		}
	}
	if len(args) == 0 {
		m.raise(l, "ERR Please specify at least one argument for this redis.call() call")
	}
	answer := m.execution.server.do(m.execution, args)
	if e, failed := answer.(Error); failed {
		m.raise(l, string(e))
	}
	l.Push(toLua(l, answer))
	return 1
}

func (m *machine) raise(l *lua.LState, text string) {
	t := l.NewTable()
	t.RawSetString("err", lua.LString(text))
	l.Error(t, 0)
}

func strings2table(l *lua.LState, words []string) *lua.LTable {
	t := l.CreateTable(len(words), 0)
	for _, w := range words {
		t.Append(lua.LString(w))
	}
	return t
}

// toLua turns an answer into what redis.call returns: nil is false there.
func toLua(l *lua.LState, answer any) lua.LValue {
	switch v := answer.(type) {
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case Status:
		t := l.NewTable()
		t.RawSetString("ok", lua.LString(v))
		return t
	case []any:
		t := l.CreateTable(len(v), 0)
		for _, e := range v {
			t.Append(toLua(l, e))
		}
		return t
	}
	return lua.LFalse
}

// fromLua turns what a script returns into an answer: an array ends at its
// first nil, and a number loses its fraction.
func fromLua(value lua.LValue) any {
	switch v := value.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return int64(v)
	case lua.LBool:
		if v {
			return int64(1)
		}
	case *lua.LTable:
		if text, ok := v.RawGetString("ok").(lua.LString); ok {
			return Status(text)
		}
		if text, ok := v.RawGetString("err").(lua.LString); ok {
			return Error(text)
		}
		all := []any{}
		for i := 1; ; i++ {
			e := v.RawGetInt(i)
			if e == lua.LNil {
				return all
			}
			all = append(all, fromLua(e))
		}
	}
	return nil
}
