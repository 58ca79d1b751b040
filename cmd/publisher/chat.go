package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"tickertape/internal/chat"
	"tickertape/internal/client"
	"tickertape/internal/event"
)

// chatCmd asks a model.
type chatCmd struct {
	Prompt *string `arg:"" optional:"" help:"What to ask. If it is left out or \"-\", it is read from standard input to its end."`

	Topic    string        `placeholder:"TOPIC" help:"Topic of the answer, which must be a new one. Default: chat. and a UUID."`
	Model    string        `required:"" placeholder:"NAME" help:"The model to ask."`
	BaseURL  string        `name:"base-url" env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1" placeholder:"URL" help:"Address of a server that speaks like OpenAI's. Default: ${default}."`
	API      string        `name:"api" enum:"chat,responses" default:"chat" placeholder:"API" help:"How to ask: chat (Chat Completions, which nearly all servers have) or responses. Default: ${default}."`
	KeyFile  string        `placeholder:"FILE" help:"File that holds the server's key. Default: the variable OPENAI_API_KEY."`
	Coalesce time.Duration `placeholder:"DURATION" help:"Join the text that comes within so long after a message, like 30ms. Default: each piece is a message."`
	Lease    lease         `default:"30s" placeholder:"DURATION" help:"If this command dies, the topic ends as producer_lost after so long. Default: ${default}."`
	Stall    time.Duration `default:"60s" placeholder:"DURATION" help:"Give up when the model's server has sent nothing for so long. Default: ${default}."`
	sending  `embed:""`
}

// Help implements kong.HelpProvider.
func (*chatCmd) Help() string {
	return `Prints the topic, and publishes to it what the model's server streams:

	started   {"model"}, before the model is asked
	          (no name) each piece of text, as it is
	waiting   {}: the model says nothing for long, but all is well
	done      {"finish_reason", "usage", "model"}; the topic ends as completed
	failed    {"error"}; the topic ends as failed, and the exit code is 1

When somebody ends the topic ("publisher cancel TOPIC"), the model is not asked any further; the exit code is 3. Ctrl-C ends
the topic as cancelled.

Examples:

	publisher chat 'Why is the sky blue?' --model gpt-4.1
	publisher chat Hi --model llama3.2 --base-url http://127.0.0.1:11434/v1
	publisher chat --model fake --base-url http://127.0.0.1:9090/v1 --topic chat.7 <prompt.txt
	publisher listen chat.7 --since all       (in another terminal)

The last but one is a server for demonstrations: go run ./examples/chat/fakellm`
}

// Validate is called by kong.
func (c *chatCmd) Validate() error {
	if c.Coalesce < 0 || c.Stall <= 0 {
		return errors.New("--coalesce and --stall must be durations above 0")
	}
	return c.sending.Validate()
}

// Run is called by kong.
func (c *chatCmd) Run(hub *client.Client, std streams) error {
	topic, err := c.topic()
	if err != nil {
		return err
	}
	key, err := c.key()
	if err != nil {
		return err
	}
	prompt, err := given(c.Prompt, std)
	if err != nil {
		return err
	}
	if prompt == "" {
		return usageError{errors.New("the prompt is empty")}
	}
	p := newProgress(std, c.Quiet)
	asker, err := chat.New(hub, chat.Options{BaseURL: c.BaseURL, Key: key, Model: c.Model, API: chat.API(c.API),
		Coalesce: c.Coalesce, Lease: time.Duration(c.Lease), Stall: c.Stall, Patience: c.Patience, Progress: p.tell})
	if err != nil {
		return usageError{err}
	}
	defer asker.Close()
	ctx, stop := untilSignal()
	defer stop()
	if _, err := fmt.Fprintln(std.out, topic); err != nil {
		return err
	}
	tally, err := asker.Answer(ctx, topic, prompt)
	p.end(tally, err != nil)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

func (c *chatCmd) topic() (event.Topic, error) {
	if c.Topic != "" {
		return event.ParseTopic(c.Topic)
	}
	id, err := uuid.NewRandom()
	return event.Topic("chat." + id.String()), err
}

// maxKey bounds a key's file, in bytes.
const maxKey = 64 << 10

// key returns what is shown to the model's server. It is never a flag: everyone on
// a machine can read those.
func (c *chatCmd) key() (string, error) {
	if c.KeyFile == "" {
		return os.Getenv("OPENAI_API_KEY"), nil
	}
	file, err := os.Open(c.KeyFile)
	if err != nil {
		return "", usageError{fmt.Errorf("--key-file: %w", err)}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKey))
	if err != nil {
		return "", usageError{fmt.Errorf("--key-file: %w", err)}
	}
	key := string(bytes.TrimSpace(text))
	if key == "" {
		return "", usageError{fmt.Errorf("--key-file: %s is empty", c.KeyFile)}
	}
	return key, nil
}
