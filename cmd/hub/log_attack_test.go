//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"tickertape/internal/auth"
	"tickertape/internal/redistest"
)

// tricks are texts that a log, or the terminal that shows it, could take for more
// than a text.
var tricks = [...]string{"a\r\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged", "a\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", "\x1b[2J\x1b[31mforged\x1b[0m", "a\x00b", "a\x7fb", "\x9b31mforged",
	"\xc2\x9b31mforged", "a\u2028b\u0085c", "\u202egro.live", "\ufeff", "\xff\xfe\xed\xa0\x80", "\" level=ERROR msg=\"forged", "\\", "%0d%0aforged", "${jndi:ldap://x}", "%s%n%!d(MISSING)", strings.Repeat("x", 5000)}

// TestLogsAndSecrets feeds a hub with tricks and secrets, in every place of its
// requests. Its log has one line for each entry, of which nothing is more than
// text; no secret is in it, nor in anything else that the hub says.
func TestLogsAndSecrets(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			logsAndSecrets(t, format)
		})
	}
}

func logsAndSecrets(t *testing.T, format string) {
	const password, shared = "redis-s3cr3t", "hmac-s3cr3t-that-nobody-may-see-anywhere"
	redis := redistest.Start(t, "--requirepass", password)
	key, hash := auth.NewAPIKey()
	token, err := auth.MintWithSecret(auth.Claims{Subject: tricks[0], Lifetime: time.Hour, Rights: map[auth.Action][]string{
		auth.Publish: {"**"}, auth.Subscribe: {"**"}, auth.Manage: {"**"}}}, []byte(shared))
	if err != nil {
		t.Fatal(err)
	}
	file := configure(t, fmt.Sprintf("access:\n  api_keys:\n  - {name: %q, sha256: %s, publish: ok}\n  tokens: {}\n", "job\r\n\x1b[31mforged", hash))
	env := []string{"HUB_REDIS=" + redis.URL, "HUB_LOG_LEVEL=debug", "HUB_LOG_FORMAT=" + format, "HUB_CONFIG=" + file, "HUB_TOKEN_SECRET=" + shared, "HUB_DRAIN_WAIT=0s", "HUB_DRAIN_WINDOW=0s", "HUB_REQUEST_RATE=0", "HUB_OPEN_RATE=0"}
	p := startProcess(t, "", env...)
	unsigned := token[:strings.LastIndex(token, ".")+1] + "unsigned-s3cr3t"
	secrets := []string{password, shared, key, token, unsigned, token[strings.LastIndex(token, ".")+1:], strings.Split(token, ".")[1]}
	said := ""
	credentials := []string{key, token, unsigned, key + "x", "Basic s3cr3t"}
	for i, trick := range tricks {
		said += p.feed(trick, credentials[i%len(credentials)])
	}
	admin := p.adminURL()
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1"} {
		_, body := answered(p.client.Get(admin + path))
		said += body
	}
	said += helpOf(t, p, env)
	redis.Kill()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/publish?topic=ok", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	_, body := answered(p.client.Do(request))
	p.until("the log tells of the store", func() bool { return strings.Contains(p.log.String(), "publishes fail") })
	p.signal(syscall.SIGTERM)
	p.exit()
	log := p.log.String()
	checkLines(t, format, log)
	if !strings.Contains(said, "forged") || !strings.Contains(log, "stream ended") {
		t.Error("nothing of the tricks was told, or no stream was logged: the test tests nothing")
	}
	for _, secret := range append(secrets, "s3cr3t") {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", secret)
		}
		if strings.Contains(said+body, secret) {
			t.Errorf("the hub said %s", secret)
		}
	}
}

// feed makes requests with the trick and the credential in every place, and returns
// the answers.
func (p *process) feed(trick, credential string) (said string) {
	p.t.Helper()
	escaped, quoted := url.QueryEscape(trick), fmt.Sprintf("%q", strings.ToValidUTF8(trick, "?"))
	if b, err := json.Marshal(trick); err == nil {
		quoted = string(b)
	}
	path := strings.ReplaceAll(escaped, "+", "%20")
	for _, as := range []struct{ query, header string }{{"", "Authorization: Bearer " + credential}, {"access_token=" + url.QueryEscape(credential), "X: y"},
		{"", "Cookie: __Host-tickertape=" + credential}, {"", "Authorization: " + credential}} {
		for _, line := range []string{"GET /events?topic=" + escaped + "&" + as.query, "GET /events?topic=ok&since=" + escaped + "&" + as.query, "GET /events?topic=ok&last_event_id=" + escaped + "&" + as.query,
			"GET /events?" + escaped + "&" + as.query, "GET /topics?select=" + escaped + "&" + as.query, "GET /topics/" + path + "?" + as.query, "GET /topics/" + path + "/messages?" + as.query,
			"GET /" + path + "?" + as.query, "POST /publish?topic=" + escaped + "&" + as.query, "POST /publish?topic=ok&event=" + escaped, "POST /publish?topic=ok&key=" + escaped,
			"POST /publish?topic=ok&" + escaped, "POST /publish?topic=ok&producer=" + escaped + "&seq=1", "POST /topics/" + path + "/end", "POST /topics/" + path + "/cancel", "PUT /publish?" + as.query, trick + " /publish"} {
			stream := strings.HasPrefix(line, "GET /events")
			said += p.say(line+" HTTP/1.1\r\nHost: x\r\n"+as.header+"\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", stream)
		}
		for _, header := range []string{"Last-Event-ID", "Origin", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Referer", "Host", "Content-Type", "Idempotency-Key", "Cookie", trick} {
			said += p.say("GET /events?topic=ok&"+as.query+" HTTP/1.1\r\nHost: x\r\n"+as.header+"\r\n"+header+": "+trick+"\r\n\r\n", true)
			said += p.say("POST /publish?topic=ok HTTP/1.1\r\nHost: x\r\n"+as.header+"\r\n"+header+": "+trick+"\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", false)
		}
		for _, field := range []string{"topic", "event", "key", "idempotency_key", "lease", "end", "data", strings.Trim(quoted, `"`)} {
			body := fmt.Sprintf(`{"topic":"ok","data":1,"%s":%s}`, field, quoted)
			said += p.say(fmt.Sprintf("POST /publish HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", as.header, len(body), body), false)
		}
	}
	return said
}

// say sends bytes and returns what comes back: all of it, or of a stream the
// beginning.
func (p *process) say(text string, stream bool) string {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(endTime)); err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // it may be cut off before all is sent
	if stream {
		first := make([]byte, 4<<10)
		n, _ := conn.Read(first)
		return string(first[:n])
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(conn)
	return string(got)
}

// helpOf returns what the hub says of itself on the command line.
func helpOf(t *testing.T, p *process, env []string) (said string) {
	t.Helper()
	for _, argument := range []string{"--help", "--version", "--no-such-flag"} {
		command := exec.Command(p.cmd.Path, argument)
		command.Env = append(append(command.Environ(), "TEST_AS_HUB=1"), env...)
		out, _ := command.CombinedOutput() // it may exit with a status
		said += string(out)
	}
	if !strings.Contains(said, "HUB_REDIS") {
		t.Errorf("the hub helps with %q", said)
	}
	return said
}

// quotedText is what a log of text has put in quotes.
var quotedText = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// checkLines checks that each line is an entry, and nothing but text that can be seen.
func checkLines(t *testing.T, format, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		text := strings.TrimSuffix(line, "\n")
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a line has more than text: %q", text)
		}
		var entry map[string]any
		switch {
		case format == "json" && (json.Unmarshal([]byte(text), &entry) != nil || entry["time"] == nil || entry["msg"] == "forged"):
			t.Errorf("a line is no entry: %q", text)
		case format == "text" && (!strings.HasPrefix(text, "time=20") || strings.Contains(quotedText.ReplaceAllString(text, ""), "msg=forged")):
			t.Errorf("a line is no entry: %q", text)
		}
	}
}
