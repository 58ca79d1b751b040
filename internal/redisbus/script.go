package redisbus

import (
	_ "embed" // the scripts
	"errors"

	"github.com/redis/go-redis/v9"
)

//go:embed publish.lua
var publishSource string

//go:embed fence.lua
var fenceSource string

//go:embed head.lua
var headSource string

//go:embed active.lua
var activeSource string

//go:embed sweep.lua
var sweepSource string

// scripts are run by their hash. Where Redis does not have one, after SCRIPT
// FLUSH or on a new server, go-redis sends it whole.
type scripts struct {
	publish, fence, head, active, sweep *redis.Script
}

func newScripts() scripts {
	return scripts{
		publish: redis.NewScript(publishSource),
		fence:   redis.NewScript(fenceSource),
		head:    redis.NewScript(headSource),
		active:  redis.NewScript(activeSource),
		sweep:   redis.NewScript(sweepSource),
	}
}

var errAnswer = errors.New("redis answered a script's call in a form that this version does not know")
