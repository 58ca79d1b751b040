package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tickertape/internal/event"
)

// taken is a hub's word on a stream.
type taken struct {
	Published  int    `json:"published"`
	Duplicates int    `json:"duplicates"`
	LastID     string `json:"last_id"`
}

// outcome is what became of a request.
type outcome struct {
	taken
	err error // nil: the hub took all that it was sent
}

// attempt makes one request: of what is pending, then of messages as they
// come. It returns when the request has ended in every way, and reports
// whether another one may follow.
func (p *pipe) attempt(ctx context.Context) (again bool, err error) {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	body := newFeed()
	for _, line := range p.pending {
		body.add(line)
	}
	answers := make(chan outcome, 1)
	go func() { answers <- p.post(sending, body) }()

	answer, early := p.fill(ctx, body, answers)
	if !early {
		body.finish()
		answer = p.awaitAnswer(ctx, cancel, answers)
	}
	// What the transport still sends of an old request must not mix with the
	// next one.
	body.abort()
	cancel(nil)
	<-body.closed
	return p.judge(answer)
}

// fill feeds the request until it is full, or old enough, or there is no more,
// or it is answered. Of one that is held open, the message that ends it goes
// with the next one.
func (p *pipe) fill(ctx context.Context, body *feed, answers <-chan outcome) (answer outcome, early bool) {
	timer := time.NewTimer(p.options.MaxTime)
	defer timer.Stop()
	old := false
	for p.last == nil && len(p.pending) < p.options.MaxMessages && p.bytes < maxPipeBytes {
		select {
		case answer := <-answers:
			return answer, true
		case <-ctx.Done():
			return outcome{}, false
		case <-timer.C:
			if old = true; !p.options.Hold {
				return outcome{}, false
			}
		case m, ok := <-p.messages:
			kept := p.keep(m, ok)
			if old {
				return outcome{}, false
			}
			if kept {
				body.add(p.pending[len(p.pending)-1])
			}
		}
	}
	return outcome{}, false
}

// awaitAnswer gives the hub its time, and less of it once ctx has ended.
func (p *pipe) awaitAnswer(ctx context.Context, cancel context.CancelCauseFunc, answers <-chan outcome) outcome {
	if p.stuck.IsZero() {
		p.stuck = time.Now()
	}
	limit := p.client.timeout
	if p.options.Patience > 0 {
		limit = min(limit, max(minPipeWait, time.Until(p.stuck.Add(p.options.Patience))))
	}
	late := func(after time.Duration) *time.Timer {
		return time.AfterFunc(after, func() {
			cancel(fmt.Errorf("no answer in %v: %w", after, context.DeadlineExceeded))
		})
	}
	defer late(limit).Stop()
	select {
	case answer := <-answers:
		return answer
	case <-ctx.Done():
		defer late(farewell).Stop()
		return <-answers
	}
}

// post sends the request and reads its answer.
func (p *pipe) post(ctx context.Context, body *feed) outcome {
	query := url.Values{"producer": {p.options.Producer}, "seq": {strconv.FormatInt(p.number(), 10)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.client.publish+"?"+query.Encode(), body)
	if err != nil {
		_ = body.Close()
		return outcome{err: err}
	}
	request.ContentLength = -1
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Prefer", "wait="+strconv.Itoa(p.patience()))
	if err := p.bearer.authorize(request); err != nil {
		_ = body.Close()
		return outcome{err: err}
	}
	response, err := p.client.http.Do(request)
	if err != nil {
		return outcome{err: &unreachable{orCause(ctx, withoutURL(err))}}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		e := answerError(response)
		return outcome{taken{e.Published, e.Duplicates, e.LastID}, e}
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return outcome{err: &unreachable{fmt.Errorf("POST %s: the answer broke off: %w", p.client.publish, orCause(ctx, err))}}
	}
	var t taken
	if err := json.Unmarshal(answer, &t); err != nil {
		return outcome{err: fmt.Errorf("POST %s: %w: %w", p.client.publish, errNotHub, err)}
	}
	return outcome{taken: t}
}

// patience is for how many seconds a hub may slow a request down that comes faster
// than its producer may publish. Then it is to say how far it came: else all would be
// sent again, and count again, when the answer does not come in time.
func (p *pipe) patience() int {
	limit := p.client.timeout
	if p.options.Patience > 0 {
		limit = min(limit, p.options.Patience)
	}
	return max(1, int(limit.Seconds()/3))
}

// judge takes the hub's word, and decides whether to go on.
func (p *pipe) judge(o outcome) (again bool, err error) {
	n, first := o.Published+o.Duplicates, p.number()
	if o.Published < 0 || o.Duplicates < 0 || n > len(p.pending) {
		return false, fmt.Errorf("POST %s: %w: it took %d of %d messages", p.client.publish, errNotHub, n, len(p.pending))
	}
	about := p.topicOf(o)
	p.confirm(n, o.LastID)
	if o.err == nil && n == 0 {
		return false, fmt.Errorf("POST %s: %w: it took nothing of what it was sent", p.client.publish, errNotHub)
	}
	refusal, ok := errors.AsType[*Error](o.err)
	switch {
	case !ok:
		return o.err == nil || Passing(o.err), o.err
	case !refusal.Refused():
		return Passing(refusal), refusal.alone()
	}
	again, err = p.bearer.renew(endedAs(refusal.alone(), about))
	if again {
		return true, err
	}
	number := p.number()
	if refusal.Item != nil {
		number = first + int64(*refusal.Item)
	}
	return false, &PipeError{Number: number, Err: err}
}

// topicOf returns the topic of the message at which the hub stopped, or of the
// last one if it was behind that. Call it before what is stored is forgotten.
func (p *pipe) topicOf(o outcome) event.Topic {
	at := min(max(o.Published+o.Duplicates, 0), len(p.pending)-1)
	var doc document
	if err := json.Unmarshal(p.pending[at], &doc); err != nil {
		return "" // never: newDocument made it
	}
	return doc.Topic
}

// alone returns the error without the place in a request, of which the caller
// knows nothing.
func (e *Error) alone() *Error {
	one := *e
	one.Item = nil
	if place, detail, ok := strings.Cut(one.Detail, ": "); ok {
		if number, ok := strings.CutPrefix(place, "line "); ok && strings.Trim(number, "0123456789") == "" {
			one.Detail = detail
		}
	}
	return &one
}
