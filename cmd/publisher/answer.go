package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"tickertape/internal/openai"
)

// maxPiece is the most bytes of a model's text that go into one message.
const maxPiece = 64 << 10

// readOpenAI publishes a model's answer: its text in pieces, then how it ended.
func (p *pipe) readOpenAI(ctx context.Context, in io.Reader, put putter) error {
	answer := openai.NewReader(in)
	for {
		part, err := answer.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch part := part.(type) {
		case openai.Delta:
			err = p.putText(ctx, string(part), put)
		case openai.Done:
			err = p.putEnd(ctx, "done", ending{FinishReason: orNull(part.FinishReason), Usage: part.Usage}, put)
		case openai.Failed:
			if ctx.Err() != nil {
				part = openai.Failed{Message: "interrupted"}
			}
			// Whoever reads the text waits for its end: also behind Ctrl-C.
			err = p.putEnd(context.WithoutCancel(ctx), "failed", failing{part}, put)
			err = errors.Join(ctx.Err(), err)
			if err == nil {
				err = fmt.Errorf("the answer is not whole: %w", part)
			}
		}
		if err != nil {
			return err
		}
	}
}

// ending is the data of the event done.
type ending struct {
	FinishReason *string         `json:"finish_reason"`
	Usage        json.RawMessage `json:"usage"`
}

// failing is the data of the event failed.
type failing struct {
	Error openai.Failed `json:"error"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (p *pipe) putText(ctx context.Context, text string, put putter) error {
	for text != "" {
		end := len(text)
		if end > maxPiece {
			for end = maxPiece; !utf8.RuneStart(text[end]); end-- {
			}
		}
		if err := put(ctx, p.message(text[:end])); err != nil {
			return err
		}
		text = text[end:]
	}
	return nil
}

func (p *pipe) putEnd(ctx context.Context, name string, data any, put putter) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	m := p.message(string(text))
	m.Name, m.Data.JSON = name, true
	return put(ctx, m)
}
