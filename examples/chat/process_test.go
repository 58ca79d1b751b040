package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tickertape/internal/fakellm"
	"tickertape/internal/proctest"
)

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

// backend is the example in a process of its own.
type backend struct {
	*proctest.Process
	url string
}

// startBackend starts one over a hub and a model's server; the environment may
// say more. It ends with the test.
func startBackend(t *testing.T, hub, llm string, env ...string) *backend {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr, err := proctest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "HUB_") || strings.HasPrefix(v, "CHAT_") || strings.HasPrefix(v, "OPENAI_")
	})
	cmd.Env = append(cmd.Env, "TEST_AS_CHAT=1", "GORACE=atexit_sleep_ms=0", "CHAT_ADDR="+addr, "HUB_URL="+hub, "OPENAI_BASE_URL="+llm)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := proctest.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{Process: p, url: "http://" + addr}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the backend's log:\n%s", text)
		}
	})
	until(t, "the backend answers", func() bool { status, _ := b.ask(http.MethodGet, "/", "", ""); return status == http.StatusOK })
	return b
}

// term ends the backend in order.
func (b *backend) term(t *testing.T) {
	t.Helper()
	if err := b.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Ended():
	case <-time.After(patience):
		t.Fatal("the backend does not end")
	}
	if status := b.Status(); status != 0 {
		t.Errorf("the backend ended with %d", status)
	}
}

// ask makes a request and returns the answer, or 0 and what went wrong.
func (b *backend) ask(method, path, media, body string) (status int, answer string) {
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// serveModel serves a model until the test ends and returns it with its address.
func serveModel(t *testing.T, o fakellm.Options) (model *fakellm.Server, url string) {
	t.Helper()
	model = fakellm.New(o)
	server := httptest.NewServer(model)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return model, server.URL + "/v1"
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
