package fakellm

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// form is one of the two wire formats.
type form interface {
	begin(model string) []string
	// token returns the event of a piece of text, given as a JSON string.
	token(quoted, model string, refusal bool) string
	end(model string, q query, tokens int) []string
	failed() string
}

// answer is one request's.
type answer struct {
	server *Server
	form   form
	fault  Fault
	query  query
	w      http.ResponseWriter
	done   <-chan struct{} // closed when the caller goes away
	asked  *Asked
}

// give answers the request.
func (a *answer) give() {
	whole := a.write()
	a.server.note(func() { a.asked.Whole, a.asked.Gone = whole, !whole })
}

// write writes all that the fault lets through, and reports whether the caller
// stayed so long.
func (a *answer) write() bool {
	switch a.fault {
	case Refused:
		refuse(a.w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided")
	case Busy:
		a.w.Header().Set("Retry-After", "1")
		refuse(a.w, http.StatusTooManyRequests, "rate_limit_exceeded", "Rate limit reached")
	case Broken:
		refuse(a.w, http.StatusInternalServerError, "server_error", "The server had an error")
	case Page:
		a.w.Header().Set("Content-Type", "text/html")
		_, _ = a.w.Write([]byte("<html>Welcome to the fake model's home page"))
	case Hang:
		<-a.done
		return false
	default:
		a.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		return a.stream()
	}
	return true
}

// stream writes a stream of events, and reports whether the caller stayed to
// its end.
func (a *answer) stream() bool {
	model, tokens := a.query.Model, a.pieces()
	if !a.send(a.form.begin(model)...) {
		return false
	}
	for i, quoted := range tokens {
		if !a.pause() || !a.send(a.form.token(quoted, model, a.fault == Refusal)) {
			return false
		}
		a.server.note(func() { a.asked.Tokens++ })
		switch middle := i == len(tokens)/2; {
		case a.fault == Stall:
			<-a.done
			return false
		case a.fault == Break && middle:
			a.hangUp()
			return true
		case a.fault == Cut && middle:
			return true
		case a.fault == Fails && middle:
			return a.send(a.form.failed())
		}
	}
	if a.fault == Half {
		return true
	}
	return a.send(a.form.end(model, a.query, len(tokens))...)
}

// pieces returns the answer's tokens as JSON strings.
func (a *answer) pieces() []string {
	tokens := a.server.tokens(a.query.prompt)
	switch a.fault {
	case Split:
		tokens = splitCharacters(strings.Join(tokens, ""))
	case Half:
		tokens = append(tokens, "\U0001f44d"[:2])
	case Huge:
		tokens[len(tokens)/2] = strings.Repeat("x", hugeToken)
	}
	quoted := make([]string, len(tokens))
	for i, t := range tokens {
		quoted[i] = quote(t)
	}
	return quoted
}

// splitCharacters splits a text into pieces of 5 bytes, whatever they are.
func splitCharacters(text string) (pieces []string) {
	for len(text) > 5 {
		pieces, text = append(pieces, text[:5]), text[5:]
	}
	return append(pieces, text)
}

// quote writes a text as a JSON string and leaves bytes that are not UTF-8 as
// they are, which no library would.
func quote(text string) string {
	if utf8.ValidString(text) {
		return string(encode(text))
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// pause waits for the next token, and reports whether the caller is still there.
func (a *answer) pause() bool {
	timer := time.NewTimer(a.server.options.Delay)
	defer timer.Stop()
	select {
	case <-a.done:
		return false
	case <-timer.C:
		return true
	}
}

// send writes events and reports whether the caller is still there.
func (a *answer) send(events ...string) bool {
	for _, e := range events {
		if _, err := fmt.Fprintf(a.w, "%s\n\n", e); err != nil {
			return false
		}
	}
	return http.NewResponseController(a.w).Flush() == nil
}

// hangUp breaks the connection.
func (a *answer) hangUp() {
	if conn, _, err := http.NewResponseController(a.w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
