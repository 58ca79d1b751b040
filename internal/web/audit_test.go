package web_test

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"tickertape/internal/auth"
	"tickertape/internal/membus"
	"tickertape/internal/nodetest"
	"tickertape/internal/web"
)

func manage(action, topic, body string, header ...string) request {
	return request{http.MethodPost, "/topics/" + topic + "/" + action, header, "", body}
}

// Who ends topics, and who tried, stands in the log: one line for each.
func TestEndsAreNoted(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	n, log := startLogged(t, nodetest.Options{Web: web.Options{Authority: i.authority(auth.Rights{auth.Subscribe: selectors(t, "**")})}})
	bearer := func(changes claims) string { return "Authorization: Bearer " + i.token(changes) }
	alice := bearer(claims{"publish": "**", "manage": "**"})
	const once = "Idempotency-Key: once"
	for at, c := range []struct {
		r    request
		code int
		want map[string]any
	}{
		{manage("end", "a", `{"status":"failed"}`, alice, once, "Content-Type: application/json"), 200,
			map[string]any{"action": "end", "topic": "a", "caller": `token of "alice"`, "outcome": "done", "status": "failed"}},
		{manage("end", "a", `{"status":"failed"}`, alice, once, "Content-Type: application/json"), 200,
			map[string]any{"outcome": "duplicate", "status": "failed"}},
		{manage("end", "a", "", alice), 409, map[string]any{"outcome": "already ended", "code": 409.0}},
		{manage("cancel", "a", "", alice), 200, map[string]any{"action": "cancel", "outcome": "already ended", "status": "failed"}},
		{manage("cancel", "b", "", alice), 200, map[string]any{"action": "cancel", "outcome": "done", "status": "cancelled"}},
		{manage("cancel", "c", "no", alice), 400, map[string]any{"outcome": "refused", "code": 400.0, "caller": `token of "alice"`}},
		{manage("cancel", "c", ""), 401, map[string]any{"outcome": "refused", "code": 401.0, "caller": "anonymous", "reason": `to manage "c" takes a token or an API key`}},
		{manage("cancel", "c", "", "Authorization: Bearer secret"), 401, map[string]any{"outcome": "refused", "caller": "unknown"}},
		{manage("end", "c", "", bearer(claims{"sub": "bob", "manage": "d"})), 403,
			map[string]any{"outcome": "refused", "code": 403.0, "caller": `token of "bob"`, "reason": `token of "bob" may not manage "c", only d`}},
		{manage("end", "c", "", alice, "Origin: https://elsewhere.example"), 403, map[string]any{"outcome": "refused", "caller": `token of "alice"`}},
	} {
		if a := n.do(t, c.r); a.status != c.code {
			t.Errorf("%s: %d %s", c.r.path, a.status, a.body)
		}
		line := log.until(t, at+1, "topic managed")[at]
		for name, want := range c.want {
			if line[name] != want {
				t.Errorf("%s: %s is %v, not %v", c.r.path, name, line[name], want)
			}
		}
		if line["level"] != "INFO" || !strings.HasPrefix(line["remote"].(string), "127.0.0.1:") {
			t.Errorf("%s left %v", c.r.path, line)
		}
	}
	n.open(t, "?topic=z", bearer(claims{"subscribe": "z"})).close()
	if ended := log.until(t, 1, "stream ended")[0]; ended["caller"] != `token of "alice"` {
		t.Errorf("the stream left %v", ended)
	}
	if len(log.with(t, "topic managed")) != 10 || strings.Contains(log.String(), "secret") {
		t.Errorf("the log is\n%s", log)
	}
}

// On a hub that is open to all, callers have no names.
func TestEndsOfNobody(t *testing.T) {
	t.Parallel()
	n, log := startLogged(t, nodetest.Options{})
	n.do(t, manage("cancel", "a", ""))
	if line := log.until(t, 1, "topic managed")[0]; line["caller"] != nil || line["outcome"] != "done" {
		t.Errorf("the cancel left %v", line)
	}
}

// Nothing that a caller chooses begins a line of the log, or an attribute.
func TestLinesCannotBeForged(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var log entries
	s := idleServerOf(t, membus.New(membus.Options{}), web.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Authority: i.authority(nil)})
	const forged = "x\nlevel=ERROR msg=forged outcome=forged"
	for _, path := range []string{"/topics/" + strings.ReplaceAll(strings.ReplaceAll(forged, "\n", "%0a"), " ", "%20") + "/cancel", "/topics/a/cancel"} {
		for _, sub := range []string{"alice", forged} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("Authorization", "Bearer "+i.token(claims{"sub": sub, "manage": "b"}))
			r.Header.Set("Idempotency-Key", forged)
			r.Header.Set("X-Forwarded-For", forged)
			serve(s, r)
		}
	}
	all := log.String()
	if n := strings.Count(all, "\n"); n != 4 {
		t.Errorf("%d lines", n)
	}
	for line := range strings.Lines(all) {
		if !strings.HasPrefix(line, "time=") || strings.Count(line, `outcome=refused`) != 1 || !strings.Contains(line, "level=INFO") {
			t.Errorf("forged: %s", line)
		}
	}
	if !strings.Contains(all, "caller="+strconv.Quote("token of "+strconv.Quote(forged))) {
		t.Errorf("the log lacks the caller:\n%s", all)
	}
}
