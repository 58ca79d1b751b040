package fakeredis

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

const errNoScript = Error("NOSCRIPT No matching script. Please use EVAL.")

func hashOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// script is SCRIPT LOAD source and SCRIPT FLUSH.
func script(x *execution, args []string) any {
	switch what := strings.ToUpper(args[1]); {
	case what == "LOAD" && len(args) == 3:
		hash := hashOf(args[2])
		x.server.scripts[hash] = args[2]
		return hash
	case what == "FLUSH" && len(args) == 2:
		x.server.scripts = map[string]string{}
		return okay
	}
	return errSyntax
}

// eval is EVAL source count key … argument …
func eval(x *execution, args []string) any {
	return x.evaluate(hashOf(args[1]), args[1], args[2:])
}

func evalSHA(x *execution, args []string) any {
	source, known := x.server.scripts[strings.ToLower(args[1])]
	if !known {
		return errNoScript
	}
	return x.evaluate(args[1], source, args[2:])
}

func (x *execution) evaluate(hash, source string, words []string) any {
	count, valid := number(words[0])
	words = words[1:]
	switch {
	case !valid:
		return errNumber
	case count < 0:
		return Error("ERR Number of keys can't be negative")
	case int(count) > len(words):
		return Error("ERR Number of keys can't be greater than number of args")
	}
	x.server.scripts[hash] = source
	x.script = true
	answer := x.server.options.Lua.run(x, hash, source, words[:count], words[count:])
	x.script = false
	if x.server.options.Watch != nil {
		x.server.options.Watch(x.writes)
	}
	return answer
}
