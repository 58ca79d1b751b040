// Command fakellm serves a model that does not exist, for demonstrations: see
// package fakellm.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/internal/fakellm"
)

type settings struct {
	Addr   string        `default:"127.0.0.1:9090" placeholder:"HOST:PORT" help:"Address to listen on. Default: ${default}."`
	Delay  time.Duration `default:"40ms" placeholder:"DURATION" help:"Time before each token. Default: ${default}."`
	Seed   uint64        `default:"1" placeholder:"N" help:"Another one gives other texts. Default: ${default}."`
	Tokens int           `default:"120" placeholder:"N" help:"About how many an answer has. Default: ${default}."`
}

func main() {
	var s settings
	kong.Parse(&s, kong.Name("fakellm"), kong.Description("Serves OpenAI's Chat Completions and Responses without a model: "+
		"streams, for any prompt, a text that is the same each time. A model named fake answers; one named "+
		"fake:401, fake:429, fake:500, fake:hang, fake:stall, fake:break, fake:cut, fake:error, fake:split, fake:half, "+
		"fake:huge, fake:page or fake:refusal shows what upstreams do on bad days."))
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "fakellm:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	model := fakellm.New(fakellm.Options{Delay: s.Delay, Seed: s.Seed, Tokens: s.Tokens})
	server := &http.Server{Addr: s.Addr, Handler: model, ReadHeaderTimeout: 10 * time.Second}
	// Who asks for the rest of an answer then asks in vain.
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Printf("fakellm: http://%s/v1, model fake\n", s.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
