// Command chat is a small chat over Tickertape: it takes a prompt, asks a model
// and streams the answer into the hub. The page that it serves reads the answer
// there, so it does not matter to anyone which process asked.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/internal/chat"
	"tickertape/internal/client"
)

type settings struct {
	Addr      string        `env:"CHAT_ADDR" default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Address to listen on. Default: ${default}."`
	Hub       string        `env:"HUB_URL" default:"http://127.0.0.1:8080" placeholder:"URL" help:"The hub, or what balances several. Default: ${default}."`
	PublicHub string        `env:"HUB_PUBLIC_URL" placeholder:"URL" help:"The same as browsers reach it. Default: as --hub."`
	BaseURL   string        `name:"base-url" env:"OPENAI_BASE_URL" default:"http://127.0.0.1:9090/v1" placeholder:"URL" help:"The model's server. Default: ${default}, that of fakellm. Its key stands in OPENAI_API_KEY."`
	Model     string        `env:"CHAT_MODEL" default:"fake" placeholder:"NAME" help:"The model. Default: ${default}."`
	API       string        `name:"api" env:"CHAT_API" enum:"chat,responses" default:"chat" help:"How it is asked: ${enum}. Default: ${default}."`
	Coalesce  time.Duration `env:"CHAT_COALESCE" default:"30ms" placeholder:"DURATION" help:"Join text that comes within so long. Default: ${default}."`
	Lease     time.Duration `env:"CHAT_LEASE" default:"10s" placeholder:"DURATION" help:"If this process dies, its answers end as producer_lost after so long. Default: ${default}."`
	Answers   int           `env:"CHAT_ANSWERS" default:"16" placeholder:"N" help:"Most answers at once. Default: ${default}."`
}

func main() {
	var s settings
	kong.Parse(&s, kong.Name("chat"), kong.Description("A chat page over Tickertape: see examples/chat/README.md."))
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves until it is told to end; answers that are under way end as cancelled.
func run(s settings) error {
	hub, err := client.New(s.Hub, client.Options{})
	if err != nil {
		return fmt.Errorf("--hub: %w", err)
	}
	defer hub.Close()
	asker, err := chat.New(hub, chat.Options{BaseURL: s.BaseURL, Key: os.Getenv("OPENAI_API_KEY"), Model: s.Model,
		API: chat.API(s.API), Coalesce: s.Coalesce, Lease: s.Lease, Patience: time.Minute})
	if err != nil {
		return err
	}
	defer asker.Close()
	if s.PublicHub == "" {
		s.PublicHub = s.Hub
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	answers := newAnswers(ctx, asker, s.Answers, log)
	defer answers.wait()
	handler, err := newServer(hub, answers, s.PublicHub, s.Lease)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: s.Addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	log.Info("serving", slog.String("url", "http://"+s.Addr), slog.String("hub", s.Hub), slog.String("model", s.Model))
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
