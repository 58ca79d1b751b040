package redisbus_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/event"
	"tickertape/internal/redisbus"
)

// publishTo names the variable that makes this program publish one message to
// the Redis of that URL, instead of running the tests.
const publishTo = "REDISBUS_TEST_PUBLISH_TO"

// dialing is go-redis' own search for a server that is away: it notices that
// its client was closed within a second.
const dialing = "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"

func TestMain(m *testing.M) {
	url := os.Getenv(publishTo)
	if url == "" {
		goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(dialing))
		return
	}
	if err := publishOnce(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publishOnce(url string) error {
	bus, err := redisbus.Open(redisbus.Options{URL: url})
	if err != nil {
		return err
	}
	defer bus.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = bus.Publish(ctx, []event.Message{{Topic: "a", Data: event.Data{Text: "x"}}})
	return err
}
