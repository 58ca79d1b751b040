// Command publisher publishes messages to a hub, from arguments, streams, tables
// and news feeds, and listens to what it broadcasts. It speaks HTTP only.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) }

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// note tells the user something that is not the command's result.
func (s streams) note(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...) + "\n") {
		// Nobody is left to be told of an error.
		_, _ = fmt.Fprintln(s.err, printable(strings.TrimSuffix(line, "\n")))
	}
}

// commands are the flags and subcommands.
type commands struct {
	URL       string           `name:"url" env:"HUB_URL" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of the hub, or of what balances several. Default: ${default}."`
	TokenFile string           `name:"token-file" env:"HUB_TOKEN_FILE" placeholder:"FILE" help:"File with the token or API key that the hub asks for, read before each request, and again when the hub refuses it; without it, the variable HUB_TOKEN may hold one."`
	Version   kong.VersionFlag `help:"Print the version and exit."`

	Send   send      `cmd:"" group:"Publish" help:"Publish a message, once or again and again."`
	Pipe   pipe      `cmd:"" group:"Publish" help:"Publish what comes from standard input, for as long as it comes: lines, JSON, a stream of events, a model's answer."`
	Chat   chatCmd   `cmd:"" group:"Publish" help:"Ask a language model, and publish its answer as it comes."`
	Quotes quotesCmd `cmd:"" group:"Publish" help:"Publish stock quotes, from a CSV file or made up."`
	News   news      `cmd:"" group:"Publish" help:"Publish what is new in RSS, Atom and JSON feeds."`
	End    end       `cmd:"" group:"Publish" help:"End a topic: nothing more can be published to it."`
	Cancel cancel    `cmd:"" group:"Publish" help:"Cancel what a topic's producer does, from anywhere."`
	Listen listen    `cmd:"" group:"Listen" help:"Print what is published to topics, live or from history."`
	Token  token     `cmd:"" group:"Rights" help:"Make a token, to try rights out with."`
	APIKey apiKey    `cmd:"" name:"api-key" group:"Rights" help:"Make an API key for a backend job."`
}

// Help implements kong.HelpProvider.
func (*commands) Help() string {
	return `Examples, with a hub on this machine:

	publisher listen news                 (in one terminal)
	publisher send news 'Hello, world'    (in another)

"publisher COMMAND --help" tells more of each, with examples.

Results go to standard output, all else to standard error. Ctrl-C ends in order what runs for long: pipe, chat, quotes,
news and listen then say how far they came. A second one ends it at once.

Exit codes:

	0    done
	1    failed for a reason that is not one of these
	2    wrong use: the command line or the data
	3    refused by the hub: asking again does not help (HTTP 4xx)
	4    hub not reachable, or not able now: try again later (network, HTTP 5xx, 408, 429)
	130  interrupted before its end; commands that have no end of their own, like listen without --count, end with 0 then`
}

const (
	exitFailed = 1 + iota
	exitUsage
	exitRefused
	exitUnavailable

	exitInterrupted = 130 // as shells say of what SIGINT ended
)

// usageError is a wrong use that the parser cannot see.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(args []string, std streams) int {
	var c commands
	parser, err := kong.New(&c, kong.Name("publisher"), kong.Vars{"version": version}, kong.Writers(std.out, std.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Description("Publishes messages to a Tickertape hub, and listens to what it broadcasts."))
	if err != nil {
		std.note("publisher: %v", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		std.note("publisher: %v\nRun \"%s --help\" for more information.", err, commandOf(err))
		return exitUsage
	}
	hub, err := client.New(c.URL, client.Options{Credential: c.credential})
	if err != nil {
		std.note("publisher: --url (HUB_URL): %v", err)
		return exitUsage
	}
	defer hub.Close()
	if err := parsed.Run(hub, std, &c); err != nil {
		code := exitCode(err)
		std.note("publisher: %v", err)
		if noHub(err) {
			std.note("Is a hub running at %s? Name another one with --url or HUB_URL.", c.URL)
		}
		return code
	}
	return 0
}

// maxCredential is the most bytes of a token.
const maxCredential = 16 << 10

// credential returns what the user has to prove who it is, if anything.
func (c *commands) credential() (string, error) {
	if c.TokenFile == "" {
		return os.Getenv("HUB_TOKEN"), nil
	}
	f, err := os.Open(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxCredential))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// noHub reports whether an error looks as if there were no hub at the address.
func noHub(err error) bool {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed
	}
	return exitCode(err) == exitUnavailable
}

// isUnauthorized reports whether the hub has refused the token or API key.
func isUnauthorized(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status == http.StatusUnauthorized
}

// commandOf returns the command that a parser's error is about.
func commandOf(err error) string {
	if e, ok := errors.AsType[*kong.ParseError](err); ok && e.Context.Selected() != nil {
		// Without the flags that FullPath may hold.
		return strings.Join([]string{"publisher", e.Context.Selected().Name}, " ")
	}
	return "publisher"
}

func exitCode(err error) int {
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*event.InvalidError](err); ok {
		return exitUsage
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Refused() {
		return exitRefused
	}
	if client.Passing(err) {
		return exitUnavailable
	}
	return exitFailed
}
