package main

import (
	"time"

	"github.com/schollz/progressbar/v3"

	"tickertape/internal/client"
)

// progress tells how far the sending of many messages is: on a terminal all
// the time, elsewhere by a line now and then. It is used by one goroutine at a
// time.
type progress struct {
	std   streams
	quiet bool
	bar   *progressbar.ProgressBar // nil if nobody looks on

	began   time.Time
	told    time.Time // when the last line was written
	counted int64     // what that line said
	trouble string    // what is wrong with the hub; empty if nothing is
	noted   time.Time // when that was said
}

// tellEvery is how often lines are written.
const tellEvery = 10 * time.Second

func newProgress(std streams, quiet bool) *progress {
	p := &progress{std: std, quiet: quiet, began: time.Now()}
	p.told = p.began
	if !quiet && isTerminal(std.err) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(std.err), progressbar.OptionSetDescription("accepted"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("messages"),
			progressbar.OptionShowTotalBytes(false), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionUseANSICodes(true), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionSetSpinnerChangeInterval(0)) // turns with what is accepted, not by a goroutine
		p.bar.StartWithoutRender() // else its first rate counts no time
	}
	return p
}

// tell is called after each answer of the hub, and after each failure.
func (p *progress) tell(t client.Tally, err error, wait time.Duration) {
	if err != nil {
		p.failed(err, wait)
		return
	}
	if p.trouble != "" {
		p.note("goes on: %d accepted", t.Accepted)
		p.trouble = ""
	}
	switch {
	case p.quiet:
	case p.bar != nil:
		_ = p.bar.Set64(t.Accepted) // fails only as writing to the terminal does
	case time.Since(p.told) >= tellEvery:
		p.note("accepted %d (%.1f a second)", t.Accepted, float64(t.Accepted-p.counted)/time.Since(p.told).Seconds())
		p.told, p.counted = time.Now(), t.Accepted
	}
}

// failed says what is wrong, but the same thing only now and then.
func (p *progress) failed(err error, wait time.Duration) {
	if err.Error() == p.trouble && time.Since(p.noted) < tellEvery {
		return
	}
	p.trouble, p.noted = err.Error(), time.Now()
	p.note("publisher: %v; next try in %v, nothing is lost", err, wait.Round(10*time.Millisecond))
}

// end tells how far it came in the end.
func (p *progress) end(t client.Tally, always bool) {
	if p.quiet && !always {
		return
	}
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	took := time.Since(p.began)
	if t.LastID == "" {
		p.std.note("accepted %d in %v", t.Accepted, took.Round(time.Millisecond))
		return
	}
	p.std.note("accepted %d in %v, last id %s", t.Accepted, took.Round(time.Millisecond), t.LastID)
}

// note writes a line where the bar stands, which is drawn anew below it.
func (p *progress) note(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	p.std.note(format, args...)
}
