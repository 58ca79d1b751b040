package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"tickertape/internal/event"
)

// mood is what a producer does.
type mood uint8

const (
	talking   mood = iota // a line now and then
	silent                // no line, with its request open
	finishing             // its last line, which ends the topic
)

// producer streams numbered lines into a topic of its own: one open request,
// and another one whenever that fails, which begins with what was not
// acknowledged. The first line of each has the lease.
type producer struct {
	client *http.Client
	base   string // of the URL
	topic  event.Topic
	lease  time.Duration
	odd    func(format string, args ...any) // is told what no hub may do

	cancel context.CancelFunc
	over   chan struct{} // closed when it has ended

	mu    sync.Mutex
	mood  mood
	moved chan struct{} // closed when the mood changes
	gone  bool          // it has vanished
	sent  int           // lines that were begun
	last  int           // the line that ends the topic; -1: not yet
	taken int           // lines that were acknowledged
	told  event.Status  // how the topic has ended, as an answer says: its own end, or a 409
}

// lineTime is from line to line.
const lineTime = 100 * time.Millisecond

func newProducer(r *Run, base string, topic event.Topic, lease time.Duration, odd func(string, ...any)) *producer {
	ctx, cancel := context.WithCancel(r.T.Context())
	p := &producer{client: r.plain(), base: base, topic: topic, lease: lease, odd: odd, cancel: cancel,
		over: make(chan struct{}), moved: make(chan struct{}), last: -1}
	go func() {
		defer close(p.over)
		for ctx.Err() == nil && p.attempt(ctx) {
			pause(ctx, lineTime)
		}
	}()
	r.T.Cleanup(func() { cancel(); <-p.over })
	return p
}

// turn changes what the producer does.
func (p *producer) turn(m mood) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mood = m
	close(p.moved)
	p.moved = make(chan struct{})
}

// vanish ends the producer without a word.
func (p *producer) vanish() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.cancel()
}

// vanished reports whether the producer has.
func (p *producer) vanished() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// isOver reports whether the producer has ended.
func (p *producer) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// state returns how many lines were begun and how many acknowledged, and how
// the topic has ended, as the producer was told.
func (p *producer) state() (sent, taken int, told event.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, p.taken, p.told
}

// said is what hubs answer to who publishes, ends or cancels.
type said struct {
	Published   int
	Duplicates  int
	Detail      string
	Status      any          // a topic's; the answer's if it is a problem
	TopicStatus event.Status `json:"topic_status"`
}

// attempt makes one request, and reports whether to make another one.
func (p *producer) attempt(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	body, lines := io.Pipe()
	var writing sync.WaitGroup
	defer writing.Wait()
	defer func() { cancel(); _ = body.Close() }()
	_, first, _ := p.state()
	writing.Go(func() { _ = lines.CloseWithError(p.write(ctx, lines, first)) })
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/publish?producer=%s&seq=%d", p.base, p.topic, first), body)
	if err != nil {
		p.odd("no request: %v", err)
		return false
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := p.client.Do(request)
	if err != nil {
		return true // no answer: nobody knows
	}
	defer func() { _ = response.Body.Close() }()
	var answer said
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return true
	}
	return p.take(response.StatusCode, first, answer)
}

// take notes an answer, and reports whether the producer is to go on.
func (p *producer) take(status, first int, a said) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = max(p.taken, first+a.Published+a.Duplicates)
	switch status {
	case http.StatusOK:
		if p.taken != p.sent || p.last != p.sent-1 {
			p.odd("a request that ended with line %d was answered as one of %d lines", p.sent-1, p.taken)
		}
		p.told = event.Completed
		return false
	case http.StatusConflict:
		p.told = a.TopicStatus
		if p.told == "" || p.last >= 0 && p.told == event.Completed {
			p.odd("a 409 with topic_status %q, to who has sent %d lines, and as its end line %d: %s", p.told, p.sent, p.last, a.Detail)
		}
		return false
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	p.odd("a stream in was answered %d: %s", status, a.Detail)
	return false
}

// write writes lines, from one on, until the last one, or ctx ends.
func (p *producer) write(ctx context.Context, to io.Writer, first int) error {
	encoder := json.NewEncoder(to)
	for n := first; ; n++ {
		last, err := p.next(ctx, n, n > first)
		if err != nil {
			return err
		}
		line := map[string]any{"topic": p.topic, "data": fmt.Sprint(n)}
		switch {
		case last:
			line["end"] = true
		case n == first:
			line["lease"] = p.lease.String()
		}
		if err := encoder.Encode(line); err != nil || last {
			return err
		}
	}
}

// next waits until a line's time has come, and reports whether it is the last one.
func (p *producer) next(ctx context.Context, n int, later bool) (last bool, err error) {
	if later {
		pause(ctx, lineTime)
	}
	for {
		p.mu.Lock()
		mood, moved := p.mood, p.moved
		if repeated := n < p.sent; ctx.Err() == nil && (repeated || mood != silent || !later) {
			if !repeated {
				p.sent = n + 1
				if mood == finishing {
					p.last = n
				}
			}
			defer p.mu.Unlock()
			return n == p.last, nil
		}
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
