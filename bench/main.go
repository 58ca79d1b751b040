//go:build linux

// Command bench measures this hub, the floor and Nchan beside each other, and
// says which of the hub's goals were reached. "make bench" runs it.
//
// Any other hub that runs already is measured too, if its paths are given, and
// its process for CPU and memory:
//
//	bin/bench --case fanout --url 127.0.0.1:3000 --pid 4711 \
//	  --publish-path /.well-known/mercure --events-path '/.well-known/mercure?topic={topic}' \
//	  --content-type application/x-www-form-urlencoded --body 'topic={topic}&data={payload}' \
//	  --header 'Authorization: Bearer …'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"tickertape/bench/internal/cases"
	"tickertape/bench/internal/load"
	"tickertape/bench/internal/report"
	"tickertape/bench/internal/server"
)

// settings are read from flags.
type settings struct {
	Rounds int           `default:"5" help:"How often each server is measured in each case."`
	Case   []string      `help:"Cases to run; all by default."`
	Server []string      `help:"Servers to measure; all of a case's by default."`
	Time   time.Duration `default:"10s" help:"How long a measurement takes, about."`
	Share  float64       `default:"1" help:"Share of all connections and topics."`
	Out    string        `placeholder:"FOLDER" help:"Folder for RESULTS.md and results.svg."`

	Source     string `default:"." help:"Folder that the repository is in."`
	Hub        string `placeholder:"PROGRAM" help:"The hub; built from the source by default."`
	Nchan      string `default:"/usr/lib/nginx/modules/ngx_nchan_module.so" help:"nginx's module."`
	ServerCore int    `default:"0" help:"Core of the servers; -1: all."`
	ToolCore   int    `default:"1" help:"Core of this tool; -1: all."`

	URL         string   `placeholder:"ADDRESS" help:"Also measure the server that runs at this IPv4 address and port. In what follows, {topic} stands for a topic's number, {payload} for the message."`
	PublishPath string   `default:"/publish?topic={topic}" help:"Its path for publishing by POST."`
	EventsPath  string   `default:"/events?topic={topic}" help:"Its path for listening."`
	Body        string   `default:"{payload}" help:"What it takes as a message."`
	ContentType string   `default:"text/plain" help:"The type of that."`
	Header      []string `sep:"none" help:"A further header of all requests to it."`
	PID         int      `help:"Its process, whose CPU and memory, with its children's, are its own."`
}

func main() {
	var s settings
	kong.Parse(&s, kong.Description("Measures the hub, the floor and Nchan beside each other."), kong.ShortUsageOnError())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// run measures and reports. It ends all that it started.
func (s settings) run(ctx context.Context) (err error) {
	if err := pin(s.ToolCore); err != nil {
		return err
	}
	chosen, err := s.cases()
	if err != nil {
		return err
	}
	lab, err := server.NewLab(ctx, s.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	size := cases.Size{Time: s.Time, Share: s.Share}
	began := time.Now()
	tell := func(what string) { fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), what) }
	var results []cases.Result
	for _, c := range chosen {
		result, err := c.Run(ctx, lab, s.Rounds, size, tell)
		if err != nil {
			return err
		}
		fmt.Print(report.Tables([]cases.Result{result}))
		results = append(results, result)
	}
	if s.Out == "" {
		return nil
	}
	return report.Write(s.Out, results, report.About{
		Versions: lab.Versions(ctx), Machine: server.Machine(), Rounds: s.Rounds, Size: size, Command: s.command(),
	})
}

// cases returns those to run, with their servers.
func (s settings) cases() ([]cases.Case, error) {
	chosen, err := cases.Named(s.Case)
	if err != nil {
		return nil, err
	}
	for i, c := range chosen {
		if s.URL != "" {
			c = c.With(server.Other)
		}
		if len(s.Server) > 0 {
			c = c.Only(s.Server)
		}
		chosen[i] = c
	}
	return chosen, nil
}

func (s settings) options() server.Options {
	o := server.Options{Source: s.Source, Hub: s.Hub, Nchan: s.Nchan, Core: s.ServerCore}
	if s.URL != "" {
		o.Other = &server.Foreign{PID: s.PID, Target: load.Target{
			Addr: strings.TrimPrefix(s.URL, "http://"), Publish: s.PublishPath, Events: s.EventsPath,
			Body: s.Body, Type: s.ContentType, Headers: s.Header,
		}}
	}
	return o
}

// command returns how the same can be done again.
func (s settings) command() string {
	words := []string{"make bench", fmt.Sprintf("ROUNDS=%d", s.Rounds)}
	if len(s.Case) > 0 {
		words = append(words, "CASE="+strings.Join(s.Case, ","))
	}
	if s.Share < 1 {
		words = append(words, "BENCH=short")
	}
	if writer := os.Getenv("HUB_WRITER"); writer != "" {
		words = append([]string{"HUB_WRITER=" + writer}, words...)
	}
	return strings.Join(words, " ")
}
