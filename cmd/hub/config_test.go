package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tickertape/internal/event"
)

func selector(t testing.TB, text string) event.Selector {
	t.Helper()
	s, err := event.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConfigTaken(t *testing.T) {
	t.Parallel()
	quotes := event.Rule{Selector: selector(t, "quotes.*"), Kind: event.KindLatest, Keys: 500}
	cursors := event.Rule{Selector: selector(t, "**"), Kind: event.KindEphemeral}
	for text, want := range map[string]event.Rules{
		"":                   nil,
		"# nothing\n":        nil,
		"rules:":             nil,
		"rules: []":          nil,
		"---\nrules: ~\n---": nil,
		"rules:\n  - selector: quotes.*\n    kind: latest\n    keys: 500\n  - selector: '**' # the rest\n    kind: ephemeral\n": {quotes, cursors},
		"rules:\n- {keys: 500, kind: \"latest\", selector: quotes.*}\n- {selector: \"**\", kind: ephemeral}":                    {quotes, cursors},
		"rules: [{selector: 7, kind: log}]": {{Selector: selector(t, "7"), Kind: event.KindLog}},
		"rules: [{selector: a.b, kind: log}, {selector: a.*, kind: log}, {selector: a.*.c, kind: log}, {selector: a.**, kind: log}]": {
			{Selector: selector(t, "a.b")}, {Selector: selector(t, "a.*")}, {Selector: selector(t, "a.*.c")}, {Selector: selector(t, "a.**")}},
	} {
		if got, err := parseConfig([]byte(text)); err != nil || !reflect.DeepEqual(got.rules, want) || got.access != nil {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

// first is a rule in lines 1 to 3 of a file.
const first = "rules:\n- selector: quotes.*\n  kind: latest\n"

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for text, because := range map[string]string{
		"rule: []":                                      `:1: there is no setting "rule"`,
		"\n\n- a":                                       ":3: the file is no list of fields",
		"rules: quotes.*":                               ":1: rules is no list",
		"rules:\n  quotes.*: latest":                    ":2: rules is no list",
		"rules:\n- quotes.*":                            ":2: a rule is no list of fields",
		"rules:\n- ":                                    ":2: selector is missing",
		"rules:\n- kind: log":                           ":2: selector is missing",
		"rules:\n- selector: a":                         ":2: kind is missing",
		first + "  colour: red":                         `:4: a rule has no field "colour"`,
		first + "  keys: 0":                             `:4: keys is "0"`,
		first + "  keys: -1":                            `:4: keys is "-1"`,
		first + "  keys: 1000001":                       `:4: keys is "1000001"; use a number from 1 to 1000000`,
		first + "  keys: 1.5":                           `:4: keys is "1.5"`,
		first + "  keys: many":                          `:4: keys is "many"`,
		first + "  keys:":                               ":4: keys is no single value",
		first + "  keys: [5]":                           ":4: keys is no single value",
		first + "  kind: log":                           ":4: this is not YAML: mapping key \"kind\" already defined",
		first + "rules: []":                             ":4: this is not YAML: mapping key \"rules\" already defined",
		first + "- selector: a\n  kind: b":              `:5: kind is "b"; use log, latest or ephemeral`,
		first + "- selector: a\n  kind: log\n  keys: 5": ":6: keys is for kind: latest; a topic that is log",
		first + "- selector: a\n  kind: ephemeral\n  keys: 5": ":6: keys is for kind: latest; a topic that is ephemeral",
		first + "- selector: a..b\n  kind: log":               `:4: topic "a..b" has an empty segment`,
		first + "- selector: **.b\n  kind: log":               "in quotes",
		first + "- selector: '**.b'\n  kind: log":             `:4: selector "**.b": a * stands for one whole segment`,
		first + "- selector: hub.*\n  kind: log":              ":4: selector \"hub.*\" is reserved",
		first + "- selector: *\n  kind: log":                  "in quotes",
		first + "- selector: *a\n  kind: log":                 "in quotes",
		first + "- selector: [a]\n  kind: log":                ":4: selector is no single value",
		first + "- selector: quotes.*\n  kind: log":           `:4: selector "quotes.*" has a rule already, in line 2`,
		first + "- selector: quotes.AAPL\n  kind: log":        `:4: this rule can never count: the first one that matches does, and "quotes.*" in line 2 matches all`,
		"---\n" + first + "---\n" + first:                     ":6: a second document",
		"rules: {":                                            ":1: this is not YAML",
		"rules:\n\t- a":                                       ":2: ",
		strings.Repeat("#", maxConfig+1):                      ": the file is over the limit of 64 KiB",
	} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		says, err := readConfig(file)
		if err == nil || !strings.HasPrefix(err.Error(), file+":") || !strings.Contains(err.Error(), because) {
			t.Errorf("%.200q: got %v, %v; want an error that says %q", text, says, err, because)
		}
	}
	for _, name := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing.yaml")} {
		if _, err := readConfig(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the documents and deploy/ give as an example can be used.
func TestConfigExamples(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(read(t, "../../docs/topics.md"), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	if says, err := parseConfig([]byte(text)); err != nil || len(says.rules) != 3 || says.rules[0].Keys != 5000 {
		t.Errorf("docs/topics.md: %v, %v", says, err)
	}
	shipped := read(t, "../../deploy/tickertape.yaml")
	if says, err := parseConfig([]byte(shipped)); err != nil || len(says.rules) > 0 {
		t.Errorf("as shipped: %v, %v", says, err)
	}
	if says, err := parseConfig([]byte(strings.ReplaceAll(shipped, "\n#  ", "\n  "))); err != nil || len(says.rules) != 2 {
		t.Errorf("with its lines uncommented: %v, %v", says, err)
	}
}

// Whatever the file holds, it is refused with a line, or each of its rules can
// count.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{"", first, first + "  keys: 5\n- {selector: '**', kind: ephemeral}", "rules: [*a, &a b]", "access: {anonymous: {subscribe: ['**', a.b]}, api_keys: [{name: a, sha256: " + hashOfA + ", publish: a}], tokens: {keys: k, leeway: 5s}}", "a: !!map {<<: *b}", "- - -", "? a\n: |\n  b", "\x00\xff", "%YAML 1.2\n---\n...\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		says, err := parseConfig(text)
		if err != nil {
			line, ok := errors.AsType[*lineError](err)
			if !ok || line.line < 1 || says.rules != nil || says.access != nil {
				t.Fatalf("%v, %v", says, err)
			}
			return
		}
		for i, rule := range says.rules {
			topic := event.Topic(strings.ReplaceAll(strings.ReplaceAll(rule.Selector.String(), "**", "other.topic"), "*", "other"))
			if rule.Keys < 0 || rule.Keys > maxKeys || rule.Keys > 0 && rule.Kind != event.KindLatest || !rule.Selector.Match(topic) {
				t.Fatalf("rule %d: %+v", i, rule)
			}
			for _, before := range says.rules[:i] {
				if before.Selector.Covers(rule.Selector) {
					t.Fatalf("%q comes behind %q", rule.Selector, before.Selector)
				}
			}
		}
	})
}
