// Package fakellm is the server of a language model that does not exist: for
// tests, and for demonstrations on a machine that has no model. It speaks
// OpenAI's Chat Completions and Responses with "stream": true, and answers a
// prompt with a text that is the same each time.
//
// Any model will do. One whose name ends in a colon and a Fault does what
// upstreams do on bad days.
package fakellm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong with an answer.
type Fault string

// What can go wrong.
const (
	Refused   Fault = "401"     // wrong key
	Busy      Fault = "429"     // too many requests; to come again in a second
	Broken    Fault = "500"     // for no reason that it tells
	Hang      Fault = "hang"    // nothing is answered
	Stall     Fault = "stall"   // nothing comes behind the first token
	Break     Fault = "break"   // the connection breaks in the middle
	Cut       Fault = "cut"     // the stream ends in the middle, in order
	Fails     Fault = "error"   // the stream tells of an error in the middle
	Split     Fault = "split"   // characters are split between tokens, in the middle of their UTF-8
	Half      Fault = "half"    // the stream ends, in order, in the middle of a character
	Huge      Fault = "huge"    // a line of 9 MiB
	Page      Fault = "page"    // a page for people in place of a stream
	Refusal   Fault = "refusal" // the model does not want to answer; that is no error
	noFault   Fault = ""
	hugeToken       = 9 << 20
)

var faults = [...]Fault{noFault, Refused, Busy, Broken, Hang, Stall, Break, Cut, Fails, Split, Half, Huge, Page, Refusal}

// Options are a Server's settings. Zero fields mean the defaults.
type Options struct {
	Delay  time.Duration // before each token; 0
	Seed   uint64        // another one, other texts
	Tokens int           // about how many an answer has; 120
}

// Server answers requests. It may be asked from any number of goroutines.
type Server struct {
	options Options

	mu    sync.Mutex
	asked []*Asked
}

// Asked is a request, and what became of it so far.
type Asked struct {
	Path   string
	Model  string
	Prompt string
	Key    string // that the caller showed
	Tokens int    // that were written
	Whole  bool   // the answer was written to its end, such as it is
	Gone   bool   // the caller went away before
}

// New returns a Server.
func New(o Options) *Server {
	if o.Tokens == 0 {
		o.Tokens = 120
	}
	return &Server{options: o}
}

// Asked returns what was asked so far, in order.
func (s *Server) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Asked
	for _, a := range s.asked {
		all = append(all, *a)
	}
	return all
}

// Answer returns the text that answers the prompt.
func (s *Server) Answer(prompt string) string { return strings.Join(s.tokens(prompt), "") }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var form form
	switch r.URL.Path {
	case "/v1/chat/completions":
		form = chat{}
	case "/v1/responses":
		form = responses{}
	default:
		refuse(w, http.StatusNotFound, "not_found", "there is nothing at "+r.URL.Path)
		return
	}
	q, err := read(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	_, suffix, _ := strings.Cut(q.Model, ":")
	if !slices.Contains(faults[:], Fault(suffix)) {
		refuse(w, http.StatusNotFound, "model_not_found", fmt.Sprintf("there is no model %q", q.Model))
		return
	}
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a := &answer{server: s, form: form, fault: Fault(suffix), query: q, w: w, done: r.Context().Done(),
		asked: &Asked{Path: r.URL.Path, Model: q.Model, Prompt: q.prompt, Key: key}}
	s.note(func() { s.asked = append(s.asked, a.asked) })
	a.give()
}

// note changes what is told of requests.
func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// query is what a request asks.
type query struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Content json.RawMessage `json:"content"`
	} `json:"messages"` // Chat Completions
	Input   json.RawMessage `json:"input"` // Responses
	Options struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`

	prompt string
}

// maxQuery bounds a request's body, in bytes.
const maxQuery = 1 << 20

func read(w http.ResponseWriter, r *http.Request) (q query, err error) {
	if r.Method != http.MethodPost {
		return q, errors.New("this path takes POST only")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return q, err
	}
	content := q.Input
	if len(q.Messages) > 0 {
		content = q.Messages[len(q.Messages)-1].Content
	}
	switch {
	case !q.Stream:
		return q, errors.New(`this server only streams: say "stream": true`)
	case q.Model == "":
		return q, errors.New("model is missing")
	case json.Unmarshal(content, &q.prompt) != nil || q.prompt == "":
		return q, errors.New("the prompt is missing, or is not a text")
	}
	return q, nil
}

// refuse answers with an error as OpenAI words it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(failure(code, message)) // who has gone need not be told
}

// failure returns an error's document.
func failure(code, message string) []byte {
	return encode(map[string]any{"error": map[string]any{"message": message, "type": "fake_error", "code": code}})
}

func encode(v any) []byte {
	text, _ := json.Marshal(v) // cannot fail: strings, numbers, and maps and lists of them
	return text
}
