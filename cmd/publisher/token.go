package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tickertape/internal/auth"
	"tickertape/internal/client"
)

// token makes a token.
type token struct {
	KeyFile    string `name:"key-file" placeholder:"FILE" help:"Private key to sign with: a JSON Web Key, or PEM."`
	SecretFile string `name:"secret-file" placeholder:"FILE" help:"Or the secret to sign with, by HS256; without either, the variable HUB_TOKEN_SECRET holds it."`

	Subject   string        `name:"sub" placeholder:"NAME" help:"Whose token it is: {sub} in rights."`
	Issuer    string        `name:"iss" placeholder:"NAME" help:"Who issues it."`
	Audience  string        `name:"aud" placeholder:"NAME" help:"For whom it is."`
	Publish   []string      `placeholder:"SELECTOR" help:"Topics that it may publish to; can be given several times."`
	Subscribe []string      `placeholder:"SELECTOR" help:"Topics that it may listen to."`
	Manage    []string      `placeholder:"SELECTOR" help:"Topics that it may end and cancel."`
	Lifetime  time.Duration `name:"for" default:"1h" placeholder:"DURATION" help:"When it expires. Default: ${default}."`
}

// Help implements kong.HelpProvider.
func (*token) Help() string {
	return `Prints the token. Where users log in, tokens are made by libraries in the language of that place: this is for trying
things out. Selectors are as in the hub's configuration: quotes.*, news.**, user.{sub}.**

Examples:

	export HUB_TOKEN_SECRET=$(openssl rand -hex 32)          (the hub has it too)
	publisher token --sub alice --subscribe 'user.{sub}.**'
	publisher token --key-file private.pem --iss https://login.example.com --aud tickertape --publish 'news.**'`
}

// Validate is called by kong.
func (t *token) Validate() error {
	if t.KeyFile != "" && t.SecretFile != "" {
		return errors.New("--key-file and --secret-file exclude each other")
	}
	if t.Lifetime <= 0 {
		return errors.New("--for must be a duration above 0")
	}
	return nil
}

// Run is called by kong.
func (t *token) Run(_ *client.Client, std streams) error {
	claims := auth.Claims{Subject: t.Subject, Issuer: t.Issuer, Audience: t.Audience, Lifetime: t.Lifetime,
		Rights: map[auth.Action][]string{auth.Publish: t.Publish, auth.Subscribe: t.Subscribe, auth.Manage: t.Manage}}
	made, err := t.mint(claims)
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintln(std.out, made)
	return err
}

func (t *token) mint(claims auth.Claims) (string, error) {
	if t.KeyFile != "" {
		private, err := os.ReadFile(t.KeyFile)
		if err != nil {
			return "", err
		}
		return auth.Mint(claims, private)
	}
	secret := os.Getenv("HUB_TOKEN_SECRET")
	if t.SecretFile != "" {
		text, err := os.ReadFile(t.SecretFile)
		if err != nil {
			return "", err
		}
		secret = strings.TrimRight(string(text), "\r\n")
	}
	if secret == "" {
		return "", errors.New("there is nothing to sign with: --key-file, --secret-file, or the variable HUB_TOKEN_SECRET")
	}
	return auth.MintWithSecret(claims, []byte(secret))
}

// apiKey makes an API key.
type apiKey struct {
	Name      string   `arg:"" help:"What the hub's log calls whoever has the key."`
	Publish   []string `placeholder:"SELECTOR" help:"Topics that it may publish to; can be given several times."`
	Subscribe []string `placeholder:"SELECTOR" help:"Topics that it may listen to."`
	Manage    []string `placeholder:"SELECTOR" help:"Topics that it may end and cancel."`
}

// Help implements kong.HelpProvider.
func (*apiKey) Help() string {
	return `Prints the key to standard output, and to standard error what the hub's configuration needs of it: its hash. The key
itself is kept nowhere.

Example:

	publisher api-key news-job --publish 'news.**' > news-job.key
	HUB_TOKEN_FILE=news-job.key publisher send news.today 'Hello'`
}

// Run is called by kong.
func (k *apiKey) Run(_ *client.Client, std streams) error {
	var lines strings.Builder
	for _, row := range []struct {
		action auth.Action
		texts  []string
	}{{auth.Publish, k.Publish}, {auth.Subscribe, k.Subscribe}, {auth.Manage, k.Manage}} {
		for _, text := range row.texts {
			if _, err := auth.ParsePattern(text); err != nil {
				return usageError{err}
			}
		}
		if len(row.texts) > 0 {
			fmt.Fprintf(&lines, "\n      %s: ['%s']", row.action, strings.Join(row.texts, "', '"))
		}
	}
	key, hash := auth.NewAPIKey()
	std.note("In the file that the hub's --config names:\n\naccess:\n  api_keys:\n    - name: %s\n      sha256: %s%s\n", k.Name, hash, lines.String())
	_, err := fmt.Fprintln(std.out, key)
	return err
}
