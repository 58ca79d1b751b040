package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

const (
	maxConfig = 64 << 10  // bytes of the file
	maxKeys   = 1_000_000 // that a rule may allow a topic
)

// lineError is what is wrong in a line of the configuration file.
type lineError struct {
	line int // from 1
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// wrong words what is wrong at a place of the file.
func wrong(at ast.Node, format string, args ...any) error {
	return &lineError{lineOf(at), fmt.Errorf(format, args...)}
}

func lineOf(n ast.Node) int { return n.GetToken().Position.Line }

// config is what the configuration file says.
type config struct {
	rules  event.Rules
	access *auth.Policy // nil: nothing of that
}

// readConfig reads the configuration file; without a name it says nothing. An
// error names the file and, where there is one, the line.
func readConfig(name string) (config, error) {
	if name == "" {
		return config{}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return config{}, err // it names the file
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	switch {
	case err != nil:
		return config{}, err
	case len(text) > maxConfig:
		return config{}, fmt.Errorf("%s: the file is over the limit of %d KiB", name, maxConfig>>10)
	}
	says, err := parseConfig(text)
	if err != nil {
		return config{}, fmt.Errorf("%s:%w", name, err)
	}
	return says, nil
}

// parseConfig reads what the configuration file says. Every error is a
// lineError.
func parseConfig(text []byte) (config, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return config{}, syntax(err)
	}
	var says config
	for i, document := range file.Docs {
		if i > 0 && !isNothing(document.Body) {
			return config{}, wrong(document.Body, "a second document begins; there may be one")
		}
		if err := fields(document.Body, "the file", func(field string, value ast.Node) (err error) {
			switch field {
			case "rules":
				says.rules, err = parseRules(value)
			case "access":
				says.access, err = parseAccess(value)
			default:
				err = wrong(value, "there is no setting %.64q here; rules and access are known", field)
			}
			return err
		}); err != nil {
			return config{}, err
		}
	}
	return says, nil
}

// syntax words what is no YAML.
func syntax(err error) error {
	bad, ok := errors.AsType[yaml.Error](err)
	if !ok || bad.GetToken() == nil {
		return &lineError{1, fmt.Errorf("this is not YAML: %w", err)}
	}
	hint := ""
	if at := bad.GetToken(); at.Prev != nil && at.Prev.Value == "*" || at.Value == "*" {
		hint = `; a selector that begins with * stands in quotes, like "*.done"`
	}
	return &lineError{bad.GetToken().Position.Line, fmt.Errorf("this is not YAML: %s%s", bad.GetMessage(), hint)}
}

func isNothing(n ast.Node) bool {
	if n == nil {
		return true
	}
	switch n.Type() {
	case ast.NullType, ast.CommentType:
		return true
	}
	return false
}

// fields calls the function with each field of an object.
func fields(n ast.Node, what string, take func(field string, value ast.Node) error) error {
	if isNothing(n) {
		return nil
	}
	object, ok := n.(ast.MapNode)
	if !ok {
		return wrong(n, "%s is no list of fields like name: value", what)
	}
	for each := object.MapRange(); each.Next(); {
		name, err := textOf(each.Key(), "this field's name")
		if err != nil {
			return err
		}
		if err := take(name, each.Value()); err != nil {
			return err
		}
	}
	return nil
}

// textOf returns a single value as it is written.
func textOf(n ast.Node, what string) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.AliasNode:
		return "", wrong(n, `%s begins with *; put it in quotes, like "*.done"`, what)
	}
	return "", wrong(n, "%s is no single value", what)
}

// placedRule is a rule and the line where it stands.
type placedRule struct {
	event.Rule
	line int
}

// parseRules reads the list of rules.
func parseRules(n ast.Node) (event.Rules, error) {
	if isNothing(n) {
		return nil, nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, wrong(n, `rules is no list; begin each rule with "- selector:"`)
	}
	var rules event.Rules
	var placed []placedRule
	for _, item := range list.Values {
		rule, err := parseRule(item)
		if err != nil {
			return nil, err
		}
		for _, before := range placed {
			if err := contradicts(before, rule); err != nil {
				return nil, &lineError{rule.line, err}
			}
		}
		rules, placed = append(rules, rule.Rule), append(placed, rule)
	}
	return rules, nil
}

// contradicts reports why a rule says nothing that counts, behind that other
// one: of several rules that match a topic, the first one does.
func contradicts(before, rule placedRule) error {
	switch {
	case before.Selector.String() == rule.Selector.String():
		return fmt.Errorf("selector %q has a rule already, in line %d", rule.Selector, before.line)
	case before.Selector.Covers(rule.Selector):
		return fmt.Errorf("this rule can never count: the first one that matches does, and %q in line %d matches all that %q does; put that one behind this",
			before.Selector, before.line, rule.Selector)
	}
	return nil
}

// parseRule reads one rule.
func parseRule(n ast.Node) (placedRule, error) {
	rule := placedRule{line: lineOf(n)}
	var selector, kind, keys ast.Node
	err := fields(n, "a rule", func(field string, value ast.Node) error {
		switch field {
		case "selector":
			rule.line, selector = lineOf(value), value
		case "kind":
			kind = value
		case "keys":
			keys = value
		default:
			return wrong(value, "a rule has no field %.64q; selector, kind and keys are known", field)
		}
		return nil
	})
	switch {
	case err != nil:
		return rule, err
	case selector == nil:
		return rule, wrong(n, "selector is missing: which topics the rule is for")
	case kind == nil:
		return rule, wrong(n, "kind is missing: latest, ephemeral or log")
	}
	text, err := textOf(selector, "selector")
	if err == nil {
		rule.Selector, err = event.ParseSelector(text)
	}
	if err != nil {
		return rule, inLine(selector, err)
	}
	if text, err = textOf(kind, "kind"); err == nil {
		rule.Kind, err = event.ParseKind(text)
	}
	if err != nil {
		return rule, inLine(kind, err)
	}
	if keys != nil {
		rule.Keys, err = parseKeys(keys, rule.Kind)
	}
	return rule, err
}

// inLine gives an error its line, unless it has one.
func inLine(n ast.Node, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*lineError](err); ok {
		return err
	}
	return &lineError{lineOf(n), err}
}

// parseKeys reads how many keys a topic may have.
func parseKeys(n ast.Node, kind event.Kind) (int, error) {
	text, err := textOf(n, "keys")
	if err != nil {
		return 0, err
	}
	keys, err := strconv.Atoi(text)
	switch {
	case err != nil || keys < 1 || keys > maxKeys:
		return 0, wrong(n, "keys is %.64q; use a number from 1 to %d", text, maxKeys)
	case kind != event.KindLatest:
		return 0, wrong(n, "keys is for kind: latest; a topic that is %s does not count them", kind)
	}
	return keys, nil
}
