package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"tickertape/internal/auth"
	"tickertape/internal/event"
	"tickertape/internal/fakellm"
	"tickertape/internal/nodetest"
	"tickertape/internal/stream"
	"tickertape/internal/web"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"publisher": main})
}

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

// leakChecked fails a run of tests that leaves goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(goleak.IgnoreAnyFunction(lingering)); err != nil && code == 0 {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

// TestScripts runs the command as a user does, each script with a hub of its
// own, which HUB_URL names.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			tb, ok := env.T().(testing.TB)
			if !ok {
				return errors.New("no testing.TB")
			}
			h := &hubs{tb: tb}
			h.start("127.0.0.1:0")
			env.Values[hubsKey{}] = h
			env.Values[llmKey{}] = new([]*fakellm.Server)
			env.Setenv("HUB_URL", h.node.URL)
			env.Setenv("HUB", h.node.URL)
			env.Setenv("TZ", "UTC")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			answers, err := filepath.Abs("../../internal/openai/testdata")
			if err != nil {
				return err
			}
			env.Setenv("ANSWERS", answers)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second to end
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "hub": hubCommand, "awaits": awaits, "retained": retained, "lossy": lossy, "busy": busy, "mute": mute,
			"interrupts": interrupts, "feeds": feeds, "posts": posts, "llm": llm, "asked": asked, "gone": gone,
		},
	})
}

type hubsKey struct{}

// hubs are a script's hub and those that took its place.
type hubs struct {
	tb   testing.TB
	node *nodetest.Node
}

func (h *hubs) start(addr string) {
	h.node = nodetest.Start(h.tb, nodetest.Options{Addr: addr, Stream: stream.Options{Retry: 20 * time.Millisecond}})
}

func hubsOf(ts *testscript.TestScript) *hubs {
	h, ok := ts.Value(hubsKey{}).(*hubs)
	if !ok {
		ts.Fatalf("the script has no hub")
	}
	return h
}

// exits CODE COMMAND... runs a command and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = ended.ExitCode()
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// guard puts a hub in place that takes tokens by the secret.
func (h *hubs) guard(ts *testscript.TestScript, secret string) {
	a, err := auth.New(auth.Policy{Tokens: &auth.Tokens{Secret: []byte(secret)}}, slog.New(slog.DiscardHandler))
	ts.Check(err)
	ts.Defer(a.Close)
	h.node = nodetest.Start(h.tb, nodetest.Options{Stream: stream.Options{Retry: 20 * time.Millisecond}, Web: web.Options{Authority: a}})
	ts.Setenv("HUB_URL", h.node.URL)
}

// hub stop, hub start, hub cut: what may happen to a hub. hub guard FILE puts one
// in its place that takes tokens by the secret in the file.
func hubCommand(ts *testscript.TestScript, _ bool, args []string) {
	h := hubsOf(ts)
	switch args[0] {
	case "stop":
		h.node.Stop()
	case "start":
		h.start(h.node.Addr)
	case "cut":
		h.node.Cut()
	case "guard":
		h.guard(ts, strings.TrimSpace(ts.ReadFile(args[1])))
	default:
		ts.Fatalf("hub %s?", args[0])
	}
}

// awaits FILE TEXT waits until a file that a command in the background writes
// holds the text.
func awaits(ts *testscript.TestScript, _ bool, args []string) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for {
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(content), args[1]) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			ts.Fatalf("%s does not hold %q:\n%s", args[0], args[1], content)
		}
	}
}

// retained TOPIC N checks how many messages the hub holds.
func retained(ts *testscript.TestScript, _ bool, args []string) {
	info, _, err := hubsOf(ts).node.Bus.Topic(context.Background(), event.Topic(args[0]))
	ts.Check(err)
	if strconv.Itoa(info.Retained) != args[1] {
		ts.Fatalf("%s holds %d messages, want %s", args[0], info.Retained, args[1])
	}
}

// lossy puts something between command and hub that loses every other answer.
func lossy(ts *testscript.TestScript, _ bool, _ []string) {
	target, err := url.Parse(hubsOf(ts).node.URL)
	ts.Check(err)
	var requests atomic.Int64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(*http.Response) error {
			if requests.Add(1)%2 == 1 {
				panic(http.ErrAbortHandler)
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	// On a used connection the client's transport would ask again by itself.
	server.Config.SetKeepAlivesEnabled(false)
	ts.Defer(server.Close)
	ts.Setenv("HUB_URL", server.URL)
}

// busy puts something between command and hub that takes a request a second.
func busy(ts *testscript.TestScript, _ bool, _ []string) {
	target, err := url.Parse(hubsOf(ts).node.URL)
	ts.Check(err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	var next atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().UnixNano()
		if now < next.Load() {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"status":429,"detail":"key job publishes faster than it may: 1 messages a second","stored":"no"}`)
			return
		}
		next.Store(now + int64(900*time.Millisecond))
		proxy.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("HUB_URL", server.URL)
}

// mute FILE puts a hub in place that never answers, and writes the file when
// it is asked something.
func mute(ts *testscript.TestScript, _ bool, args []string) {
	asked := ts.MkAbs(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the client's leaving is not noticed
		_ = os.WriteFile(asked, []byte("asked"), 0o600)
		<-r.Context().Done()
	}))
	ts.Defer(server.Close)
	ts.Setenv("HUB_URL", server.URL)
}
