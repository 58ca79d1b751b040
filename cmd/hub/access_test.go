package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/auth"
)

// hashOfA is the SHA-256 of "a".
const hashOfA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

// TestAccessRead: the file's section is read as it stands.
func TestAccessRead(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says, err := parseConfig([]byte(`
access:
  anonymous:
    subscribe: [news.**, "*.open"]
    publish_rate: 0.5
  api_keys:
    - name: job
      sha256: ` + hashOfA + `
      publish: news.**
      manage:
        - news.*
      publish_rate: 1e3
  tokens:
    secret_file: ` + secret + `
    issuer: me
    audience: you
    leeway: 5s
    subscribe: user.{sub}.**
    publish_rate: none
`))
	if err != nil {
		t.Fatal(err)
	}
	p := says.access
	if got := p.Anonymous[auth.Subscribe]; len(got) != 2 || got[0].String() != "news.**" || got[1].String() != "*.open" {
		t.Errorf("anonymous: %v", p.Anonymous)
	}
	if len(p.APIKeys) != 1 || p.APIKeys[0].Name != "job" || p.APIKeys[0].Hash.String() != hashOfA ||
		!p.APIKeys[0].Allow(auth.Publish, "news.a.b") || !p.APIKeys[0].Allow(auth.Manage, "news.a") || p.APIKeys[0].Allow(auth.Subscribe, "news.a") {
		t.Errorf("API keys: %+v", p.APIKeys)
	}
	if p.AnonymousRate != 0.5 || p.APIKeys[0].PublishRate != 1000 || p.Tokens.PublishRate != 0 {
		t.Errorf("rates: %v, %v, %v", p.AnonymousRate, p.APIKeys[0].PublishRate, p.Tokens.PublishRate)
	}
	k := p.Tokens
	if k == nil || k.Issuer != "me" || k.Audience != "you" || k.Leeway != 5*time.Second || !bytes.Equal(k.Secret, bytes.Repeat([]byte("s"), 32)) ||
		len(k.Grants[auth.Subscribe]) != 1 || k.Grants[auth.Subscribe][0].String() != "user.{sub}.**" {
		t.Errorf("tokens: %+v", k)
	}
	a, err := says.open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if c, err := a.Identify(t.Context(), ""); err != nil || c.Allow(auth.Publish, "news.a") || !c.Allow(auth.Subscribe, "a.open") {
		t.Errorf("anonymous is %+v, %v", c, err)
	}
}

// TestAccessRates: users have a rate unless the file says otherwise, backend jobs have none.
func TestAccessRates(t *testing.T) {
	t.Parallel()
	for _, anonymous := range []string{"", "\n anonymous: {publish: a}"} {
		says, err := parseConfig([]byte("access:\n api_keys: [{name: a, sha256: " + hashOfA + "}]\n tokens: {keys: /k.pem}" + anonymous))
		if err != nil {
			t.Fatal(err)
		}
		if p := says.access; p.AnonymousRate != 100 || p.Tokens.PublishRate != 100 || p.APIKeys[0].PublishRate != 0 {
			t.Errorf("rates: %v, %v, %v", p.AnonymousRate, p.Tokens.PublishRate, p.APIKeys[0].PublishRate)
		}
	}
}

// TestAccessRefused: a mistake is told with its line.
func TestAccessRefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "access:\n api_keys:\n - name: a\n   sha256: " + hashOfA + "\n"
	for text, because := range map[string]string{
		"access: all":                                             "1: access is no list of fields",
		"access:\n everybody: {}":                                 `2: access has no field "everybody"`,
		"access:\n anonymous:\n  read: a":                         `3: anonymous has no field "read"`,
		"access:\n anonymous:\n  subscribe: a..b":                 "3: ",
		"access:\n anonymous:\n  subscribe:\n  - a\n  - b c":      "5: ",
		"access:\n anonymous:\n  subscribe: [{a: b}]":             "3: subscribe is no single value",
		"access:\n anonymous:\n  subscribe: 'user.{sub}'":         "needs a subject",
		"access:\n api_keys: a":                                   "2: api_keys is no list",
		"access:\n api_keys:\n - publish: a":                      "3: name is missing",
		"access:\n api_keys:\n - name: a":                         "3: sha256 is missing",
		"access:\n api_keys:\n - name: a\n   sha256: tt_secret":   "4: ",
		key + "   right: a":                                       `5: an API key has no field "right"`,
		key + " - name: a\n   sha256: " + strings.Repeat("0", 64): `the name or the hash of another`,
		key + " - name: b\n   sha256: " + hashOfA:                 `the name or the hash of another`,
		"access:\n anonymous:\n  publish_rate: 0":                 "3: publish_rate is \"0\"; use a number of messages a second, from 0.001 to 1000000, or none",
		"access:\n anonymous:\n  publish_rate: -1":                "3: publish_rate",
		"access:\n anonymous:\n  publish_rate: [1]":               "3: publish_rate is no single value",
		"access:\n tokens:\n  publish_rate: fast":                 "3: publish_rate",
		"access:\n tokens:\n  publish_rate: NaN":                  "3: publish_rate",
		key + "   publish_rate: 1000001":                          "5: publish_rate",
		"access:\n tokens: {}":                                    "2: tokens need keys",
		"access:\n tokens:\n  leeway: soon":                       "3: ",
		"access:\n tokens:\n  colour: red":                        `3: tokens has no field "colour"`,
		"access:\n tokens:\n  secret_file: /nowhere":              "3: ",
		"access:\n tokens:\n  secret_file: " + empty:              "3: " + empty + " is empty",
	} {
		says, err := parseConfig([]byte(text))
		if err == nil || !strings.Contains(err.Error(), because) {
			t.Errorf("%q: %+v, %v; want %q", text, says, err, because)
		}
	}
}

// TestReach: beyond the machine itself, nothing is open unless somebody said so.
func TestReach(t *testing.T) {
	t.Parallel()
	access := config{access: &auth.Policy{}}
	for _, x := range []struct {
		args []string
		says config
		ok   bool
	}{
		{[]string{"--addr=127.0.0.1:0"}, config{}, true}, {[]string{"--addr=:8080"}, config{}, false}, {[]string{"--addr=192.168.1.1:80"}, config{}, false},
		{[]string{"--addr=0.0.0.0:1"}, config{}, false}, {[]string{"--addr=[::]:1"}, config{}, false}, {[]string{"--addr=hub.example:1"}, config{}, false},
		{[]string{"--addr=:8080", "--insecure"}, config{}, true}, {[]string{"--addr=:8080"}, access, true},
	} {
		var s settings
		if _, err := parse(t, &s, x.args...); err != nil {
			t.Fatal(err)
		}
		if err := s.checkReach(x.says); (err == nil) != x.ok {
			t.Errorf("%v: %v", x.args, err)
		}
	}
}
