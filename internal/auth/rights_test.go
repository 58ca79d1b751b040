package auth_test

import (
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

// TestSegments: whatever a subject is, its topics are its own, and written alike
// for nobody else.
func TestSegments(t *testing.T) {
	t.Parallel()
	subjects := rapid.OneOf(rapid.StringMatching(`[a-c.*~|@]{1,6}`), rapid.StringN(1, 30, 60))
	rapid.Check(t, func(t *rapid.T) {
		a, b := subjects.Draw(t, "a"), subjects.Draw(t, "b")
		pattern, err := auth.ParsePattern("user.{sub}.**")
		if err != nil {
			t.Fatal(err)
		}
		mine, err := pattern.For(a)
		if err != nil {
			t.Fatal(err)
		}
		topic, err := event.ParseTopic("user." + auth.Segment(b) + ".inbox")
		if err != nil {
			t.Fatal(err)
		}
		if mine.Match(topic) != (a == b) {
			t.Errorf("%q has %s, which matches %s of %q", a, mine, topic, b)
		}
	})
}

// TestAllowAll: rights to all topics of a selector are rights to each of them, and
// none are had that no right covers.
func TestAllowAll(t *testing.T) {
	t.Parallel()
	selectors := rapid.StringMatching(`(a|b|\*)(\.(a|b|\*)){0,2}(\.\*\*)?`)
	topics := rapid.StringMatching(`(a|b)(\.(a|b)){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		has, wanted, topic := selectors.Draw(t, "has"), selectors.Draw(t, "wanted"), event.Topic(topics.Draw(t, "topic"))
		p, err := auth.ParsePattern(has)
		if err != nil {
			t.Fatal(err)
		}
		rights, err := auth.Grants{auth.Subscribe: {p}}.For("")
		if err != nil {
			t.Fatal(err)
		}
		s, err := event.ParseSelector(wanted)
		if err != nil {
			t.Fatal(err)
		}
		if rights.AllowAll(auth.Subscribe, s) && s.Match(topic) && !rights.Allow(auth.Subscribe, topic) {
			t.Errorf("%s covers %s, but not %s", has, wanted, topic)
		}
		if rights.AllowAll(auth.Publish, s) || rights.Allow(auth.Manage, topic) {
			t.Error("a right to one thing is one to another")
		}
	})
}

// TestPatterns: what is no selector is no pattern.
func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a..b", "a.b*", "**.a", "hub.a", "a.{su}", "{sub", "a b", "*{sub}"} {
		if _, err := auth.ParsePattern(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	p, err := auth.ParsePattern("{sub}.x")
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"", "hub", strings.Repeat("é", 100)} {
		if s, err := p.For(subject); err == nil {
			t.Errorf("%q has %s", subject, s)
		}
	}
}

// TestAPIKeys: a key is known by its hash, another one is not.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	key, hash := auth.NewAPIKey()
	other, _ := auth.NewAPIKey()
	news, err := event.ParseSelector("news.**")
	if err != nil {
		t.Fatal(err)
	}
	read, err := auth.ParseHash(hash.String())
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, auth.Policy{APIKeys: []auth.APIKey{
		{Name: "job", Hash: read, Rights: auth.Rights{auth.Publish: {news}}}, {Name: "other"}}})
	c, err := a.Identify(t.Context(), key)
	if err != nil || c.Name != "key job" || !c.Expires.IsZero() {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := c.Check(auth.Publish, "news.a"); err != nil {
		t.Error(err)
	}
	if err := c.Check(auth.Publish, "chat.a"); err == nil || !strings.Contains(err.Error(), `key job may not publish to "chat.a", only news.**`) {
		t.Error(err)
	}
	if err := c.Check(auth.Manage, "news.a"); err == nil || !strings.Contains(err.Error(), "key job may not manage anything") {
		t.Error(err)
	}
	for _, bad := range []string{other, key + "x", key[:len(key)-1], "tt_", "tt_" + hash.String()} {
		if c, err := a.Identify(t.Context(), bad); err == nil {
			t.Errorf("%q is %s", bad, c.Name)
		}
	}
	for _, bad := range []string{"", "x", hash.String()[1:], hash.String() + "00"} {
		if _, err := auth.ParseHash(bad); err == nil {
			t.Errorf("%q is a hash", bad)
		}
	}
}

// TestPolicyRefused: names and hashes of API keys are one key's alone.
func TestPolicyRefused(t *testing.T) {
	t.Parallel()
	_, one := auth.NewAPIKey()
	_, two := auth.NewAPIKey()
	for _, keys := range [][]auth.APIKey{
		{{Hash: one}}, {{Name: "a", Hash: one}, {Name: "a", Hash: two}}, {{Name: "a", Hash: one}, {Name: "b", Hash: one}},
	} {
		if _, err := auth.New(auth.Policy{APIKeys: keys}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%v is taken", keys)
		}
	}
}

// TestOpen: an open hub lets everybody do everything, with credentials or without.
func TestOpen(t *testing.T) {
	t.Parallel()
	for _, credential := range []string{"", "tt_x", "a.b.c", "Basic"} {
		c, err := auth.Open().Identify(t.Context(), credential)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range auth.Actions {
			if err := c.Check(a, "any.topic"); err != nil {
				t.Error(err)
			}
		}
	}
}
