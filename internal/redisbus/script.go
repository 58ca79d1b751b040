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

//go:embed read.lua
var readSource string

//go:embed active.lua
var activeSource string

//go:embed sweep.lua
var sweepSource string

// scripts are run by their hash. Where Redis does not have one, after SCRIPT
// FLUSH or on a new server, go-redis sends it whole.
type scripts struct {
	publish, fence, read, active, sweep *redis.Script
}

func newScripts() scripts {
	return scripts{
		publish: redis.NewScript(publishSource),
		fence:   redis.NewScript(fenceSource),
		read:    redis.NewScript(readSource),
		active:  redis.NewScript(activeSource),
		sweep:   redis.NewScript(sweepSource),
	}
}

var errAnswer = errors.New("redis answered a script's call in a form that this version does not know")
