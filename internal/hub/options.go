package hub

import (
	"time"

	"tickertape/internal/event"
)

// Options are the limits of a Hub. Zero fields mean the defaults.
type Options struct {
	Rules event.Rules // the node's: of which kind a topic is until an event says it. None

	// Age is how long the store keeps an event, or a table that nobody writes to. 24 h
	Age time.Duration

	LogFrames  int           // the most frames of one topic's log. 1024
	LogBytes   int           // the most bytes of one topic's log. 1 MiB
	LogsBytes  int           // about the most bytes of all logs. 256 MiB
	LogLinger  time.Duration // how long a log outlives its last subscriber. 1 min
	IdleLogs   int           // the most logs that outlive theirs at once. 10,000
	PageEvents int           // the most events of one page of the history; a read brings up to 64. 512
	PageBytes  int           // about the most data of the pages that one subscriber holds. 64 KiB
	PagesBytes int           // about the most bytes of shared history pages. 64 MiB
	PageLife   time.Duration // how long a page is shared. 30 s
	// ResumeTopics and ResumeEvents bound what is read for a selector from a
	// cursor on; beyond it the stream is told so, and goes on with what comes.
	ResumeTopics int // 1,000
	ResumeEvents int // 100,000

	Readers  int           // how many history reads run at once. 4
	ReadTime time.Duration // how long one of them may take. 5 s
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field    *int
		standard int
	}{{&o.LogFrames, 1024}, {&o.LogBytes, 1 << 20}, {&o.LogsBytes, 256 << 20},
		{&o.IdleLogs, 10_000}, {&o.PageEvents, 512}, {&o.PageBytes, 64 << 10}, {&o.PagesBytes, 64 << 20}, {&o.Readers, 4},
		{&o.ResumeTopics, 1000}, {&o.ResumeEvents, 100_000}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&o.Age, event.Retention{}.WithDefaults().Age}, {&o.LogLinger, time.Minute}, {&o.PageLife, 30 * time.Second}, {&o.ReadTime, 5 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	return o
}
