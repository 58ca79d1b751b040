package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tickertape/internal/event"
	"tickertape/internal/web"
)

// limitSettings say what clients may take of the node.
type limitSettings struct {
	MaxStreams           int           `env:"HUB_MAX_STREAMS" default:"100000" help:"Streams open at once; more clients are sent away until later."`
	MaxStreamsPerAddress int           `env:"HUB_MAX_STREAMS_PER_ADDRESS" default:"1000" help:"Streams, out and in, of one address, or /64 of IPv6; 0: any number. This machine is not counted; private networks only as --trusted-proxies tell."`
	MaxStreamsPerSubject int           `env:"HUB_MAX_STREAMS_PER_SUBJECT" default:"100" help:"Streams, out and in, of tokens with the same subject; 0: any number."`
	MaxStreamsIn         int           `env:"HUB_MAX_STREAMS_IN" default:"10000" help:"Streams in at once; more are sent away until later."`
	MaxStreamTopics      int           `env:"HUB_MAX_STREAM_TOPICS" default:"100" help:"Topics and selectors of one stream."`
	MaxConnsPerAddress   int           `env:"HUB_MAX_CONNS_PER_ADDRESS" default:"1000" help:"Connections of one address, besides those to which loops write streams; more are closed at once. 0: any number. Trusted proxies may have any number."`
	MaxTopics            int           `env:"HUB_MAX_TOPICS" default:"1000000" help:"Topics that are kept at once; a message that would begin one more is refused."`
	MaxMessage           size          `env:"HUB_MAX_MESSAGE" default:"256KiB" help:"Bytes of a message's data, at most 256KiB."`
	OpenRate             float64       `env:"HUB_OPEN_RATE" default:"1000" help:"Streams opened a second; more clients are told when to come back, each later than the one before. 0: any number."`
	RequestRate          float64       `env:"HUB_REQUEST_RATE" default:"50" help:"Streams opened and topics looked at in a second by one address, and credentials that are none; of ten seconds as many as that allows may come at once. 0: any number."`
	MaxReads             int           `env:"HUB_MAX_READS" default:"128" help:"Requests that look at topics at once; one address may have an eighth of them."`
	BodyTime             time.Duration `env:"HUB_BODY_TIME" default:"30s" help:"How long a body may take to arrive that is no stream."`
	MaxSilence           time.Duration `env:"HUB_MAX_SILENCE" default:"1h" help:"How long a stream in may bring nothing, not even a blank line. 0s: for ever."`
	IntakeMemory         size          `env:"HUB_INTAKE_MEMORY" default:"256MiB" help:"Bytes of unfinished messages of all streams in together."`
	StreamLifetime       time.Duration `env:"HUB_STREAM_LIFETIME" default:"1h" help:"How long a stream is open before its client has to come back, give or take a fifth. 0s: for ever."`
	TrustedProxies       []network     `env:"HUB_TRUSTED_PROXIES" placeholder:"ADDRESS" help:"Proxies, like 192.0.2.7 or 10.0.0.0/8, whose X-Forwarded-For says which address a client has."`
}

// Validate is called by kong.
func (l *limitSettings) Validate() error {
	switch {
	case min(l.MaxStreams, l.MaxStreamsIn, l.MaxStreamTopics, l.MaxTopics, l.MaxReads, int(l.MaxMessage), int(l.IntakeMemory)) < 1:
		return errors.New("--max-streams, --max-streams-in, --max-stream-topics, --max-topics, --max-reads, --max-message and --intake-memory must each be at least 1")
	case min(l.MaxStreamsPerAddress, l.MaxStreamsPerSubject, l.MaxConnsPerAddress) < 0 || min(l.OpenRate, l.RequestRate) < 0:
		return errors.New("--max-streams-per-address, --max-streams-per-subject, --max-conns-per-address, --open-rate and --request-rate must not be negative; 0 lifts the limit")
	case int(l.MaxMessage) > event.MaxData:
		return fmt.Errorf("--max-message must be at most %dKiB", event.MaxData>>10)
	case l.BodyTime < time.Second:
		return errors.New("--body-time must be at least 1s")
	case l.MaxSilence != 0 && l.MaxSilence < time.Second || l.StreamLifetime != 0 && l.StreamLifetime < time.Second:
		return errors.New("--max-silence and --stream-lifetime must each be at least 1s, or 0s for no limit")
	}
	return nil
}

// web returns the limits that the web server keeps.
func (l *limitSettings) web() web.Limits {
	limits := web.Limits{PerAddress: l.MaxStreamsPerAddress, PerSubject: l.MaxStreamsPerSubject, Conns: l.MaxConnsPerAddress, Requests: l.RequestRate, Opens: l.OpenRate,
		Topics: l.MaxStreamTopics, Message: int(l.MaxMessage), Reads: l.MaxReads, BodyTime: l.BodyTime, Silence: l.MaxSilence, StreamsIn: l.MaxStreamsIn, IntakeSize: int(l.IntakeMemory)}
	for _, p := range l.TrustedProxies {
		limits.TrustedProxies = append(limits.TrustedProxies, netip.Prefix(p))
	}
	return limits
}

// network is an address, or all that begin alike.
type network netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *network) UnmarshalText(text []byte) error {
	p, err := netip.ParsePrefix(string(text))
	if !strings.Contains(string(text), "/") {
		var address netip.Addr
		if address, err = netip.ParseAddr(string(text)); err == nil {
			p = netip.PrefixFrom(address, address.BitLen())
		}
	}
	if err != nil {
		return fmt.Errorf("%q is not an address like 192.0.2.7, nor a network like 10.0.0.0/8", text)
	}
	*n = network(p.Masked())
	return nil
}
