package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tickertape/internal/auth"
)

// secretVariable may hold the secret that tokens are signed with. It has no flag:
// everybody on a machine sees those.
const secretVariable = "HUB_TOKEN_SECRET"

// maxSecret is the most bytes of a secret.
const maxSecret = 4 << 10

// parseAccess reads who may do what.
func parseAccess(n ast.Node) (*auth.Policy, error) {
	policy := &auth.Policy{AnonymousRate: defaultRate}
	return policy, fields(n, "access", func(field string, value ast.Node) (err error) {
		switch field {
		case "anonymous":
			err = parseAnonymous(value, policy)
		case "api_keys":
			policy.APIKeys, err = parseAPIKeys(value)
		case "tokens":
			policy.Tokens, err = parseTokens(value)
		default:
			err = wrong(value, "access has no field %.64q; anonymous, api_keys and tokens are known", field)
		}
		return err
	})
}

func parseAnonymous(n ast.Node, policy *auth.Policy) error {
	grants := auth.Grants{}
	err := fields(n, "anonymous", func(field string, value ast.Node) (err error) {
		if field == rateField {
			policy.AnonymousRate, err = parseRate(value)
			return err
		}
		known, err := parseGrant(grants, field, value)
		if err == nil && !known {
			err = wrong(value, "anonymous has no field %.64q; publish, subscribe, manage and publish_rate are known", field)
		}
		return err
	})
	if err != nil {
		return err
	}
	policy.Anonymous, err = grants.For("")
	return inLine(n, err)
}

// parseGrant reads the selectors of a field, if that is an action.
func parseGrant(grants auth.Grants, field string, n ast.Node) (bool, error) {
	action := auth.Action(field)
	switch action {
	case auth.Publish, auth.Subscribe, auth.Manage:
	default:
		return false, nil
	}
	items := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		items = list.Values
	}
	for _, item := range items {
		text, err := textOf(item, field)
		if err != nil {
			return true, err
		}
		p, err := auth.ParsePattern(text)
		if err != nil {
			return true, inLine(item, err)
		}
		grants[action] = append(grants[action], p)
	}
	return true, nil
}

func parseAPIKeys(n ast.Node) ([]auth.APIKey, error) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, wrong(n, `api_keys is no list; begin each key with "- name:"`)
	}
	var keys []auth.APIKey
	for _, item := range list.Values {
		key, err := parseAPIKey(item)
		if err != nil {
			return nil, err
		}
		for _, before := range keys {
			if before.Name == key.Name || before.Hash == key.Hash {
				return nil, wrong(item, "the API key %q has the name or the hash of another one", key.Name)
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseAPIKey(n ast.Node) (auth.APIKey, error) {
	key, grants, hashed := auth.APIKey{}, auth.Grants{}, false
	err := fields(n, "an API key", func(field string, value ast.Node) error {
		known, err := parseGrant(grants, field, value)
		if known || err != nil {
			return err
		}
		text, err := textOf(value, field)
		if err != nil {
			return err
		}
		switch field {
		case "name":
			key.Name = text
		case "sha256":
			hashed = true
			key.Hash, err = auth.ParseHash(text)
		case rateField:
			key.PublishRate, err = parseRate(value)
		default:
			err = wrong(value, "an API key has no field %.64q; name, sha256, publish, subscribe, manage and publish_rate are known", field)
		}
		return inLine(value, err)
	})
	switch {
	case err != nil:
		return key, err
	case key.Name == "":
		return key, wrong(n, "name is missing: what the log calls whoever has the key")
	case !hashed:
		return key, wrong(n, `sha256 is missing: "publisher api-key" makes a key and prints it`)
	}
	key.Rights, err = grants.For("")
	return key, inLine(n, err)
}

func parseTokens(n ast.Node) (*auth.Tokens, error) {
	tokens := &auth.Tokens{Grants: auth.Grants{}, PublishRate: defaultRate, Secret: []byte(os.Getenv(secretVariable))}
	err := fields(n, "tokens", func(field string, value ast.Node) error {
		known, err := parseGrant(tokens.Grants, field, value)
		if known || err != nil {
			return err
		}
		text, err := textOf(value, field)
		if err != nil {
			return err
		}
		switch field {
		case "keys":
			tokens.Keys = text
		case "secret_file":
			tokens.Secret, err = readSecret(text)
		case "issuer":
			tokens.Issuer = text
		case "audience":
			tokens.Audience = text
		case "leeway":
			tokens.Leeway, err = time.ParseDuration(text)
		case rateField:
			tokens.PublishRate, err = parseRate(value)
		default:
			err = wrong(value, "tokens has no field %.64q; keys, secret_file, issuer, audience, leeway, publish, subscribe, manage and publish_rate are known", field)
		}
		return inLine(value, err)
	})
	if err == nil && tokens.Keys == "" && len(tokens.Secret) == 0 {
		err = wrong(n, "tokens need keys (a file or an https address), secret_file, or the variable %s", secretVariable)
	}
	return tokens, err
}

// readSecret reads a secret from a file, whose last line may have an end.
func readSecret(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Size() > maxSecret:
		return nil, fmt.Errorf("%s is over the limit of %d bytes", name, maxSecret)
	}
	text, err := os.ReadFile(name)
	if text = bytes.TrimRight(text, "\r\n"); err == nil && len(text) == 0 {
		err = fmt.Errorf("%s is empty", name)
	}
	return text, err
}

// open returns who knows the rights of callers.
func (c config) open(log *slog.Logger) (*auth.Authority, error) {
	if c.access == nil {
		return auth.Open(), nil
	}
	a, err := auth.New(*c.access, log)
	if err != nil {
		return nil, fmt.Errorf("--config (HUB_CONFIG), access: %w", err)
	}
	return a, nil
}
