package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

// check says what a configuration file means.
type check struct {
	Config     string `arg:"" env:"HUB_CONFIG" placeholder:"FILE" help:"The configuration file."`
	Credential string `placeholder:"FILE" help:"Say also what a token or an API key may do: a file that holds it, - for standard input."`
}

// checkName is the command that has a file checked.
const checkName = "check-config"

// checkConfig does what the command says, and returns the exit status.
func checkConfig(args []string) int {
	var c check
	parser, err := kong.New(&c, kong.Name("hub "+checkName), kong.UsageOnError(),
		kong.Description("Says what a configuration file means, and what a token or an API key may do."))
	if err == nil {
		_, err = parser.Parse(args)
		parser.FatalIfErrorf(err)
		err = c.run(context.Background(), os.Stdin, os.Stdout, os.Stderr)
	}
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "hub %s: %v\n", checkName, err)
		return 1
	}
	return 0
}

// keyTime is how long the keys of tokens may take to arrive.
const keyTime = 10 * time.Second

// run prints what the file means, and returns why it means nothing.
func (c check) run(ctx context.Context, in io.Reader, out, complaints io.Writer) error {
	says, err := readConfig(c.Config)
	if err != nil {
		return err
	}
	authority, err := says.open(slog.New(slog.NewTextHandler(complaints, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer authority.Close()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = table.Flush() }()
	describeRules(table, says.rules)
	describeAccess(table, says.access)
	if c.Credential == "" {
		return nil
	}
	credential, err := readCredential(in, c.Credential)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keyTime)
	defer cancel()
	caller, err := authority.Identify(ctx, credential)
	if err != nil {
		return fmt.Errorf("the credential: %w", err)
	}
	describeCaller(table, caller)
	return nil
}

// readCredential reads a token or an API key.
func readCredential(in io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	const most = 16 << 10
	text, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return "", err
	}
	credential := strings.TrimSpace(string(text))
	if credential == "" {
		return "", errors.New("the credential is empty")
	}
	return credential, nil
}

func describeRules(w io.Writer, rules event.Rules) {
	if len(rules) == 0 {
		_, _ = fmt.Fprintln(w, "All topics are logs.")
		return
	}
	_, _ = fmt.Fprintln(w, "Kinds of topics; the first row that matches counts:")
	for _, r := range rules {
		keys := ""
		if r.Kind == event.KindLatest {
			keys = fmt.Sprintf("at most %d keys", cmp.Or(r.Keys, event.DefaultKeys))
		}
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", r.Selector, r.Kind, keys)
	}
	_, _ = fmt.Fprintf(w, "  all others\t%s\t\n", event.KindLog)
}

func describeAccess(w io.Writer, p *auth.Policy) {
	if p == nil {
		_, _ = fmt.Fprintln(w, "Everybody may do everything: the file says nothing of access.")
		return
	}
	_, _ = fmt.Fprintln(w, "Rights:")
	describeRights(w, "everybody", p.Anonymous)
	if len(p.Anonymous[auth.Publish]) > 0 {
		describeRate(w, "everybody", p.AnonymousRate, ", from each address")
	}
	for _, k := range p.APIKeys {
		describeRights(w, "API key "+k.Name, k.Rights)
		if len(k.Rights[auth.Publish]) > 0 {
			describeRate(w, "API key "+k.Name, k.PublishRate, "")
		}
	}
	if p.Tokens == nil {
		_, _ = fmt.Fprintln(w, "No tokens are taken.")
		return
	}
	describeRights(w, "every token", p.Tokens.Grants)
	describeRate(w, "every token", p.Tokens.PublishRate, ", with all others of its subject")
	_, _ = fmt.Fprintf(w, "Tokens are taken %s.\n", strings.Join(describeTokens(*p.Tokens), ", "))
}

func describeTokens(t auth.Tokens) (parts []string) {
	if t.Keys != "" {
		parts = append(parts, "with keys of "+t.Keys)
	}
	if len(t.Secret) > 0 {
		parts = append(parts, "with the secret")
	}
	for _, x := range []struct{ name, value string }{{"issuer", t.Issuer}, {"audience", t.Audience}} {
		if x.value == "" {
			parts = append(parts, "any "+x.name)
		} else {
			parts = append(parts, x.name+" "+x.value)
		}
	}
	return append(parts, "leeway "+t.Leeway.String())
}

func describeCaller(w io.Writer, c *auth.Caller) {
	until := "does not expire"
	if !c.Expires.IsZero() {
		until = "until " + c.Expires.UTC().Format(time.RFC3339)
	}
	_, _ = fmt.Fprintf(w, "The credential is a good one: %s, %s.\n", c.Name, until)
	describeRights(w, "it", c.Rights)
	if len(c.Rights[auth.Publish]) > 0 {
		describeRate(w, "it", c.Allowance.PerSecond, "")
	}
}

// describeRights prints a row for each action that somebody may do with something.
func describeRights[S fmt.Stringer](w io.Writer, who string, rights map[auth.Action][]S) {
	none := true
	for _, action := range auth.Actions {
		if len(rights[action]) == 0 {
			continue
		}
		none = false
		var texts []string
		for _, s := range rights[action] {
			texts = append(texts, s.String())
		}
		_, _ = fmt.Fprintf(w, "  %s\tmay %s\t%s\n", who, action, strings.Join(texts, ", "))
	}
	if none {
		_, _ = fmt.Fprintf(w, "  %s\tmay do nothing\t\n", who)
	}
}
