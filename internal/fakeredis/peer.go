package fakeredis

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Peer is the server's end of a connection.
type Peer struct {
	server *Server
	reply  func([]byte)
	rest   []byte // of a request that has not come whole yet
	multi  bool
	queued [][]string
	closed bool
}

// Accept returns the server's end of a new connection. It calls reply with
// what it has to say, within calls of Receive and of other peers.
func (s *Server) Accept(reply func([]byte)) *Peer { return &Peer{server: s, reply: reply} }

// Close ends the connection.
func (p *Peer) Close() {
	p.closed = true
	for channel, list := range p.server.peers {
		p.server.peers[channel] = slices.DeleteFunc(slices.Clone(list), func(q *Peer) bool { return q == p })
	}
}

// Listens reports whether the other end has subscribed to something.
func (p *Peer) Listens() bool {
	for _, list := range p.server.peers {
		if slices.Contains(list, p) {
			return true
		}
	}
	return false
}

// Receive takes bytes that the other end has sent, and does what they say. It
// reports false for what is no request: a server closes then.
func (p *Peer) Receive(b []byte) bool {
	p.rest = append(p.rest, b...)
	for !p.closed {
		args, n, valid := parseRequest(p.rest)
		if !valid {
			return false
		}
		if n == 0 {
			return true
		}
		p.rest = p.rest[n:]
		p.write(p.take(args))
	}
	return true
}

func (p *Peer) write(answer any) {
	if !p.closed {
		p.reply(appendAnswer(nil, answer))
	}
}

// take does one command.
func (p *Peer) take(args []string) any {
	switch name := strings.ToUpper(args[0]); {
	case name == "EXEC":
		return p.exec()
	case name == "MULTI" && !p.multi:
		p.multi = true
		return okay
	case name == "MULTI":
		return Error("ERR MULTI calls can not be nested")
	case p.multi:
		p.queued = append(p.queued, args)
		return Status("QUEUED")
	case name == "HELLO":
		return []any{"server", "redis", "version", "7.0.15", "proto", int64(2), "id", int64(1), "mode", "standalone", "role", "master", "modules", []any{}}
	case name == "SUBSCRIBE" && len(args) == 2:
		list := p.server.peers[args[1]]
		p.server.peers[args[1]] = append(slices.Clip(list), p)
		return []any{"subscribe", args[1], int64(1)}
	}
	return p.server.Do(args...)
}

func (p *Peer) exec() any {
	if !p.multi {
		return Error("ERR EXEC without MULTI")
	}
	answers := make([]any, len(p.queued))
	for i, args := range p.queued {
		answers[i] = p.server.Do(args...)
	}
	p.multi, p.queued = false, nil
	return answers
}

// parseRequest reads a request, an array of strings, off b and returns how
// many bytes it has; 0 if it has not come whole.
func parseRequest(b []byte) (args []string, size int, valid bool) {
	count, at, valid := parseLength(b, 0, '*')
	if !valid || at == 0 {
		return nil, 0, valid
	}
	for range count {
		length, begin, valid := parseLength(b, at, '$')
		if !valid || begin == 0 {
			return nil, 0, valid
		}
		end := begin + length
		if len(b) < end+2 {
			return nil, 0, true
		}
		args = append(args, string(b[begin:end]))
		at = end + 2
	}
	return args, at, len(args) > 0
}

// parseLength reads a length that stands at a place, and returns the place
// behind it; 0 if it has not come whole.
func parseLength(b []byte, at int, mark byte) (n, next int, valid bool) {
	end := bytes.Index(b[at:], []byte("\r\n"))
	if end < 0 {
		return 0, 0, len(b) == at || b[at] == mark
	}
	n, err := strconv.Atoi(string(b[at+1 : at+end]))
	return n, at + end + 2, b[at] == mark && err == nil && n >= 0
}

// appendAnswer appends an answer as it goes over the connection.
func appendAnswer(dst []byte, answer any) []byte {
	line := func(mark byte, text string) []byte {
		return append(append(append(dst, mark), text...), '\r', '\n')
	}
	switch v := answer.(type) {
	case Error:
		return line('-', string(v))
	case Status:
		return line('+', string(v))
	case int64:
		return line(':', strconv.FormatInt(v, 10))
	case string:
		dst = line('$', strconv.Itoa(len(v)))
		return append(append(dst, v...), '\r', '\n')
	case []any:
		dst = line('*', strconv.Itoa(len(v)))
		for _, e := range v {
			dst = appendAnswer(dst, e)
		}
		return dst
	}
	return line('$', "-1")
}
