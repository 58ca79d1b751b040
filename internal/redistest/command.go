package redistest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commandTime is how long a command may take. It ends those that a frozen
// server never answers.
const commandTime = 10 * time.Second

// Do runs one command over a connection of its own and returns the answer as
// redis-cli --raw prints it: an array is a line per element, nested ones laid
// flat, and nil is empty. An error that the server answers is an error with
// that very text.
func (s *Server) Do(args ...string) (string, error) {
	return s.run("--raw", args)
}

// Must is Do for commands that must succeed: an error fails the test.
func (s *Server) Must(args ...string) string {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return answer
}

// JSON is Do for answers with a shape: it decodes them into v, as
// json.Unmarshal does. Maps are objects. It speaks RESP3, so the server counts
// a HELLO too.
func (s *Server) JSON(v any, args ...string) error {
	answer, err := s.run("--json", args)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(answer), v)
}

// Info returns a field of a section of INFO; empty if it has none.
func (s *Server) Info(section, field string) string {
	s.t.Helper()
	for line := range strings.Lines(s.Must("INFO", section)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// KillClients makes the server close all connections of a type (CLIENT KILL:
// "normal", "pubsub", "replica", "master") and returns how many there were.
func (s *Server) KillClients(kind string) int {
	s.t.Helper()
	n, err := strconv.Atoi(s.Must("CLIENT", "KILL", "TYPE", kind))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// KillCallers makes the server close all connections whose last command was the
// one of that name, in small letters.
func (s *Server) KillCallers(command string) {
	s.t.Helper()
	for line := range strings.Lines(s.Must("CLIENT", "LIST")) {
		fields := strings.Fields(line)
		if id, ok := strings.CutPrefix(fields[0], "id="); ok && slices.Contains(fields, "cmd="+command) {
			s.Must("CLIENT", "KILL", "ID", id)
		}
	}
}

func (s *Server) run(form string, args []string) (string, error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cli := exec.CommandContext(ctx, "redis-cli", append([]string{"-h", host, "-p", port, "-e", form}, args...)...)
	if s.password != "" {
		cli.Env = append(os.Environ(), "REDISCLI_AUTH="+s.password)
	}
	var complaint strings.Builder
	cli.Stderr = &complaint
	answer, err := cli.Output()
	switch text := strings.TrimSpace(complaint.String()); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("no answer in %v: %w", commandTime, ctx.Err())
	case err != nil && text != "":
		return "", errors.New(text)
	case err != nil:
		return "", fmt.Errorf("redis-cli: %w", err)
	}
	return strings.TrimSuffix(string(answer), "\n"), nil
}
