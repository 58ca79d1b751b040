// Package fakeredis is Redis as far as the bus over it can tell: the commands
// that it and its scripts use, with a Lua that runs the scripts themselves. It
// exists for simulations. Its data can be copied at any moment, its clock is
// whatever it is told, it needs no process and no socket, and a script takes
// it some 50 µs.
//
// What it answers is what Redis 7 answers; a test compares the two. What it
// does not know is an error, so a command that the bus begins to use shows at
// once.
package fakeredis

import (
	"strings"
	"time"
)

// Options are what makes a server this one.
type Options struct {
	Run  string           // its run id: 40 hexadecimal digits, like no other server's
	Now  func() time.Time // its clock
	Lua  *Lua             // runs its scripts; other servers may share it
	Data *Data            // what it begins with; the server owns it. nil: nothing
	// Watch is told, after each script, by which commands it has written and
	// published, in order. It must not call the server.
	Watch func(writes [][]string)
}

// Server is one server. Its methods, and those of its peers, belong to one
// goroutine at a time.
type Server struct {
	options  Options
	commands map[string]command
	data     *Data
	scripts  map[string]string  // by their hash
	peers    map[string][]*Peer // who listens, by channel
	// Full is whether its memory is: what would take more of it is refused.
	Full bool
	// ReadOnly is whether it is a replica: what writes is refused.
	ReadOnly bool
}

// New returns a server.
func New(o Options) *Server {
	if o.Data == nil {
		o.Data = NewData()
	}
	return &Server{options: o, commands: commands(), data: o.Data, scripts: map[string]string{}, peers: map[string][]*Peer{}}
}

// Run returns the server's run id.
func (s *Server) Run() string { return s.options.Run }

// Snapshot returns a copy of the data.
func (s *Server) Snapshot() *Data { return s.data.clone() }

// Replace puts other data in the place of the server's: what happens to a
// replica that begins to follow another primary. The server owns it.
func (s *Server) Replace(d *Data) { s.data = d }

// Do runs one command and returns its answer: nil, an int64, a string, a
// Status, an Error, or a []any of these.
func (s *Server) Do(args ...string) any {
	return s.do(&execution{server: s, now: s.options.Now()}, args)
}

// execution is one command, or one script and all of its commands. The clock
// stands still meanwhile, as it does in Redis.
type execution struct {
	server *Server
	now    time.Time
	script bool
	writes [][]string
}

func (x *execution) ms() int64 { return x.now.UnixMilli() }

func (s *Server) do(x *execution, args []string) any {
	c, ok := s.commands[strings.ToUpper(args[0])]
	switch {
	case !ok:
		return Error("ERR unknown command '" + args[0] + "'")
	case len(args) < c.least:
		return Error("ERR wrong number of arguments for '" + strings.ToLower(args[0]) + "' command")
	case c.outside && x.script:
		return Error("ERR This Redis command is not allowed from script")
	case (c.kind == writes || c.kind == grows) && s.ReadOnly:
		return Error("READONLY You can't write against a read only replica.")
	case c.kind == grows && s.Full && len(x.writes) == 0:
		return Error("OOM command not allowed when used memory > 'maxmemory'.")
	}
	answer := c.run(x, args)
	if _, failed := answer.(Error); c.kind != reads && !failed {
		x.writes = append(x.writes, args)
	}
	return answer
}

// publish hands a message to those who listen, and returns how many they are.
func (s *Server) publish(channel, message string) int {
	listeners := s.peers[channel]
	for _, p := range listeners {
		p.write([]any{"message", channel, message})
	}
	return len(listeners)
}
