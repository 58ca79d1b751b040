package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"log/slog"
	"strings"
	"testing"

	"tickertape/internal/auth"
)

const fuzzSecret = "a secret that only the fuzz test and its hub share"

// signed returns a token that is good for ever, or nearly.
func signed(head, claims, secret string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(head)) + "." + encode([]byte(claims))
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return text + "." + encode(h.Sum(nil))
}

// FuzzIdentify: whatever a credential is, it is either refused with a cause, or
// signed with the secret, or the API key.
func FuzzIdentify(f *testing.F) {
	key, hash := auth.NewAPIKey()
	a, err := auth.New(auth.Policy{APIKeys: []auth.APIKey{{Name: "job", Hash: hash}}, Tokens: &auth.Tokens{Secret: []byte(fuzzSecret)}}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(a.Close)
	const claims = `{"exp":99999999999,"sub":"alice","publish":["user.{sub}.**"]}`
	good := signed(`{"alg":"HS256"}`, claims, fuzzSecret)
	for _, head := range []string{`{"alg":"HS256"}`, `{"alg":"none"}`, `{"alg":"None"}`, `{"alg":"hs256"}`, `{"alg":"HS512"}`, `{"alg":"RS256","kid":"a"}`, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"alg":"HS256","zip":"DEF"}`,
		`{"alg":"HS256","jwk":{"kty":"oct","k":"YQ"}}`, `{"alg":"HS256","alg":"none"}`, `{"alg":["HS256"]}`, `{"alg":""}`, `[]`, `{}`, ``} {
		f.Add(signed(head, claims, fuzzSecret))
		f.Add(signed(head, claims, ""))
	}
	for _, text := range []string{`{"exp":1}`, `{"exp":"99999999999"}`, `{"exp":1e400}`, `{"exp":99999999999,"publish":{"a":1}}`, `{"exp":99999999999,"sub":["a"]}`, `{"exp":-1e30}`, `{"exp":99999999999.5,"nbf":1e300}`, `{}`, `null`, `"a"`} {
		f.Add(signed(`{"alg":"HS256"}`, text, fuzzSecret))
	}
	for _, text := range []string{"", ".", "..", "...", "a.b.c", good + ".", good[:len(good)-1], "." + good, good + "=", strings.ToUpper(good), key[:3], key[:10], strings.Repeat("a", 9<<10), "\x00.\x00.\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, credential string) {
		c, err := a.Identify(t.Context(), credential)
		if err == nil {
			if credential != "" && credential != key && !isSigned(credential) {
				t.Fatalf("%q is taken for %+v", credential, c)
			}
			return
		}
		if _, ok := errors.AsType[*auth.CredentialError](err); !ok || err.Error() == "" || len(err.Error()) > 4<<10 {
			t.Fatalf("%q: %v", credential, err)
		}
	})
}

// isSigned is a second opinion: it reads a token as simply as can be.
func isSigned(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return false
	}
	var fields struct{ Alg string }
	if json.Unmarshal(head, &fields) != nil {
		return false
	}
	with := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[fields.Alg]
	// The library also takes a signature in the other alphabet, and padded: what is signed is the same.
	signature, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(parts[2], "=")))
	if with == nil || err != nil {
		return false
	}
	h := hmac.New(with, []byte(fuzzSecret))
	h.Write([]byte(parts[0] + "." + parts[1]))
	return hmac.Equal(h.Sum(nil), signature)
}

// FuzzPattern: a pattern that is taken stands, for every subject that there is, for
// topics within its own segments.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"user.{sub}.**", "{sub}", "{sub}{sub}", "a.{sub", "{{sub}}", "*.{sub}", "x{sub}y.*", "**", "{sub}.**.x", ""} {
		for _, subject := range []string{"alice", "", "*", "a.b", "**", "~2e", "\xff", "\u202e"} {
			f.Add(text, subject)
		}
	}
	f.Fuzz(func(t *testing.T, text, subject string) {
		p, err := auth.ParsePattern(text)
		if err != nil {
			return
		}
		s, err := p.For(subject)
		if err != nil {
			return // it has become too long, or there is no subject
		}
		segments, want := strings.Split(s.String(), "."), strings.Split(strings.ReplaceAll(text, "{sub}", "x"), ".")
		if len(segments) != len(want) {
			t.Fatalf("%q for %q is %q", text, subject, s)
		}
		for i := range want {
			if strings.Contains(segments[i], "*") != strings.Contains(want[i], "*") {
				t.Fatalf("%q for %q is %q", text, subject, s)
			}
		}
	})
}
