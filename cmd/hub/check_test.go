package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/auth"
)

// TestCheckConfig: a file is told as it counts, and a credential by its rights.
func TestCheckConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	secret := strings.Repeat("s", 32)
	key, hash := auth.NewAPIKey()
	file := write("config.yaml", `
rules:
  - {selector: prices.*, kind: latest}
  - {selector: typing.**, kind: ephemeral}
access:
  anonymous: {subscribe: news.**}
  api_keys: [{name: job, sha256: `+hash.String()+`, publish: [news.**, a], publish_rate: 2.5}]
  tokens: {secret_file: `+write("secret", secret)+`, audience: hub, leeway: 5s, subscribe: 'user.{sub}.*'}
`)
	token, err := auth.MintWithSecret(auth.Claims{Subject: "alice", Audience: "hub", Lifetime: time.Hour,
		Rights: map[auth.Action][]string{auth.Manage: {"chat.{sub}"}}}, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"prices.*", "at most 10000 keys", "typing.**", "ephemeral", "all others", "everybody", "may subscribe", "news.**",
		"API key job", "at most 2.5 messages a second", "at most 100 messages a second, with all others of its subject", "may publish", "news.**, a", "every token", "user.{sub}.*", "any issuer, audience hub, leeway 5s"}
	for _, x := range []struct {
		name       string
		check      check
		in         string
		says       []string
		complaints string
	}{
		{"the file", check{Config: file}, "", all, ""},
		{"a token", check{Config: file, Credential: "-"}, token + "\n", []string{`token of "alice", until 20`, "may subscribe", "user.alice.*", "may manage", "chat.alice"}, ""},
		{"an API key in a file", check{Config: file, Credential: write("key", key)}, "", []string{"key job, does not expire", "news.**, a", "at most 2.5 messages"}, ""},
		{"a bad token", check{Config: file, Credential: "-"}, token + "x", nil, "signature"},
		{"an empty one", check{Config: file, Credential: "-"}, "", nil, "is empty"},
		{"no such file", check{Config: filepath.Join(dir, "none")}, "", nil, "none"},
		{"a bad file", check{Config: write("bad.yaml", "access: {x: 1}")}, "", nil, "bad.yaml:1"},
		{"a file that says nothing", check{Config: write("empty.yaml", "")}, "", []string{"All topics are logs.", "Everybody may do everything"}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			err := x.check.run(t.Context(), strings.NewReader(x.in), &out, &complaints)
			if (err == nil) != (x.complaints == "") || err != nil && !strings.Contains(err.Error(), x.complaints) {
				t.Errorf("got %v, want %q", err, x.complaints)
			}
			for _, text := range x.says {
				if !strings.Contains(out.String(), text) {
					t.Errorf("it does not say %q:\n%s", text, out.String())
				}
			}
			if text := out.String() + complaints.String(); strings.Contains(text, secret) || strings.Contains(text, key) || strings.Contains(text, token) {
				t.Errorf("it tells a secret:\n%s", text)
			}
		})
	}
}
