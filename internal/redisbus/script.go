package redisbus

import (
	_ "embed" // the scripts
	"errors"

	"github.com/redis/go-redis/v9"
)

// The parts of the script that publishes: one script, which no function divides,
// in files that can be read one by one.
var (
	//go:embed publish/1_call.lua
	publishCall string
	//go:embed publish/2_topics.lua
	publishTopics string
	//go:embed publish/3_verdicts.lua
	publishVerdicts string
	//go:embed publish/4_store.lua
	publishStore string
	//go:embed publish/5_books.lua
	publishBooks string
	//go:embed publish/6_answer.lua
	publishAnswer string
)

//go:embed fence.lua
var fenceSource string

//go:embed head.lua
var headSource string

//go:embed active.lua
var activeSource string

//go:embed sweep.lua
var sweepSource string

//go:embed due.lua
var dueSource string

//go:embed behind.lua
var behindSource string

//go:embed rate.lua
var rateSource string

// scripts are run by their hash. Where Redis does not have one, after SCRIPT
// FLUSH or on a new server, go-redis sends it whole.
type scripts struct {
	publish, fence, head, active, sweep, due, behind, rate *redis.Script
}

func newScripts() scripts {
	publish := publishCall + publishTopics + publishVerdicts + publishStore + publishBooks + publishAnswer
	return scripts{
		publish: redis.NewScript(publish),
		fence:   redis.NewScript(fenceSource),
		head:    redis.NewScript(headSource),
		active:  redis.NewScript(activeSource),
		sweep:   redis.NewScript(sweepSource),
		due:     redis.NewScript(dueSource),
		behind:  redis.NewScript(behindSource),
		rate:    redis.NewScript(rateSource),
	}
}

var errAnswer = errors.New("redis answered a script's call in a form that this version does not know")
