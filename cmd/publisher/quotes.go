package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"tickertape/internal/client"
	"tickertape/internal/event"
	"tickertape/internal/quotes"
)

// quotesCmd publishes stock quotes.
type quotesCmd struct {
	CSV      string   `name:"csv" group:"Source" xor:"source" placeholder:"FILE" help:"File of comma-separated values whose first line names the columns; - for standard input."`
	Simulate []string `group:"Source" xor:"source" placeholder:"SYM" help:"Make prices up for these symbols, in turn."`

	SymbolColumn string   `group:"CSV" default:"symbol" placeholder:"NAME" help:"Column of the symbol. Default: ${default}."`
	PriceColumn  string   `group:"CSV" default:"price" placeholder:"NAME" help:"Column of the price. Default: ${default}."`
	Loop         bool     `group:"CSV" help:"Begin anew at the end of the file, until Ctrl-C or --count."`
	Seed         *uint64  `group:"Simulation" placeholder:"N" help:"The same number gives the same prices. Default: a new one, which is told."`
	Volatility   *float64 `group:"Simulation" placeholder:"PERCENT" help:"How much a price changes from one quote to the next. Default: 0.1."`

	Rate    float64 `default:"10" placeholder:"N" help:"Quotes a second, of all symbols together; 0 for as fast as the hub takes them. Default: ${default}."`
	Count   *int64  `placeholder:"N" help:"End after N quotes."`
	Prefix  string  `default:"quotes." placeholder:"TEXT" help:"What the topics begin with, before the symbol. Default: ${default}"`
	sending `embed:""`
}

// Help implements kong.HelpProvider.
func (*quotesCmd) Help() string {
	return `Publishes each quote to the topic of its symbol, like quotes.AAPL, as an event "quote" with the symbol as its key. The
data is an object with "symbol", "price", and all other columns of the file; numbers keep their digits. Rows come in the
order of the file.

Made-up prices move as the usual model says (geometric Brownian motion): any price, up or down, with no trend.

Examples:

	publisher quotes --simulate AAPL,MSFT,IBM
	publisher quotes --simulate AAPL --seed 7 --count 1000 --rate 0
	publisher quotes --csv stocks.csv --rate 100 --loop
	publisher quotes --csv day.csv --symbol-column Ticker --price-column Close`
}

// Validate is called by kong.
func (q *quotesCmd) Validate() error {
	switch {
	case q.CSV == "" && len(q.Simulate) == 0:
		return errors.New("say where the quotes come from: --csv FILE or --simulate SYM")
	case !(q.Rate >= 0 && q.Rate <= 1e6):
		return errors.New("--rate must be a number from 0 to 1000000")
	case q.Count != nil && *q.Count < 1:
		return errors.New("--count must be at least 1")
	case q.CSV == "" && q.Loop:
		return errors.New("--loop goes with --csv only: made-up quotes have no end")
	case q.CSV == "-" && q.Loop:
		return errors.New("--loop needs a file: standard input cannot be read again")
	case q.CSV != "" && (q.Seed != nil || q.Volatility != nil):
		return errors.New("--seed and --volatility go with --simulate only")
	case q.Volatility != nil && !(*q.Volatility >= 0 && *q.Volatility <= 100):
		return errors.New("--volatility must be a number of percent from 0 to 100")
	}
	for _, symbol := range q.Simulate {
		if err := q.message(quotes.Quote{Symbol: symbol}).Validate(); err != nil {
			return fmt.Errorf("--simulate: %w", err)
		}
	}
	return q.sending.Validate()
}

// Run is called by kong.
func (q *quotesCmd) Run(hub *client.Client, std streams) error {
	ctx, stop := untilSignal()
	defer stop()
	from := q.simulate
	if q.CSV != "" {
		in, err := q.open(ctx, std)
		if err != nil {
			return err
		}
		defer in.Close()
		from = func(ctx context.Context, put putter) error { return q.replay(ctx, in, put) }
	} else if q.Seed == nil {
		seed := rand.Uint64N(1 << 32)
		q.Seed = &seed
		if !q.Quiet {
			std.note("publisher: --seed %d makes these prices again", seed)
		}
	}
	f, err := q.newFlow(hub, std, "", 0)
	if err != nil {
		return err
	}
	f.endless = q.Count == nil && (q.CSV == "" || q.Loop)
	return f.run(ctx, func(ctx context.Context, put putter) error {
		err := from(ctx, q.counted(newPacer(q.Rate), put))
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
}

// open returns the file, or standard input.
func (q *quotesCmd) open(ctx context.Context, std streams) (io.ReadCloser, error) {
	if q.CSV == "-" {
		return io.NopCloser(interruptible(ctx, std.in)), nil
	}
	file, err := os.Open(q.CSV)
	if err != nil {
		return nil, usageError{fmt.Errorf("--csv: %w", err)}
	}
	return file, nil
}

var errEnough = errors.New("enough")

// counted returns a putter that keeps the pace, and ends it all behind the
// last message.
func (q *quotesCmd) counted(pace *pacer, put putter) putter {
	n := int64(0)
	return func(ctx context.Context, m event.Message) error {
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if err := put(ctx, m); err != nil {
			return err
		}
		if n++; q.Count != nil && n == *q.Count {
			return errEnough
		}
		return nil
	}
}

func (q *quotesCmd) message(quote quotes.Quote) event.Message {
	return event.Message{Topic: event.Topic(q.Prefix + quote.Symbol), Name: "quote", Key: quote.Symbol,
		Data: event.Data{Text: string(quote.Data), JSON: true}}
}

// simulate makes quotes up until it is ended.
func (q *quotesCmd) simulate(ctx context.Context, put putter) error {
	volatility := 0.1
	if q.Volatility != nil {
		volatility = *q.Volatility
	}
	var walks []*quotes.Walk
	for _, symbol := range q.Simulate {
		walks = append(walks, quotes.NewWalk(symbol, *q.Seed, volatility/100))
	}
	for {
		for _, walk := range walks {
			if err := put(ctx, q.message(walk.Next())); err != nil {
				return err
			}
		}
	}
}

// replay hands on the rows of a table, again and again if asked for.
func (q *quotesCmd) replay(ctx context.Context, in io.Reader, put putter) error {
	for {
		rows, err := q.replayOnce(ctx, in, put)
		switch {
		case err != nil:
			return err
		case rows == 0:
			return usageError{fmt.Errorf("%s: there is no row below the names of the columns", q.CSV)}
		case !q.Loop:
			return nil
		}
		file, ok := in.(io.Seeker)
		if !ok {
			return nil
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return usageError{fmt.Errorf("--loop: %w", err)}
		}
	}
}

func (q *quotesCmd) replayOnce(ctx context.Context, in io.Reader, put putter) (rows int, err error) {
	table, err := quotes.NewTable(in, quotes.Columns{Symbol: q.SymbolColumn, Price: q.PriceColumn})
	if err != nil {
		return 0, q.tableError(ctx, err)
	}
	for ; ; rows++ {
		quote, err := table.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, q.tableError(ctx, err)
		}
		m := q.message(quote)
		if err := m.Validate(); err != nil {
			return rows, usageError{fmt.Errorf("%s: row %d: %w", q.CSV, rows+1, err)}
		}
		if err := put(ctx, m); err != nil {
			return rows, err
		}
	}
}

func (q *quotesCmd) tableError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return usageError{fmt.Errorf("%s: %w", q.CSV, err)}
}

// pacer lets so many pass a second. One that was held up for over a second
// does not make up for it.
type pacer struct {
	every time.Duration // 0: no limit
	next  time.Time
}

func newPacer(rate float64) *pacer {
	if rate == 0 {
		return &pacer{}
	}
	// A year is as good as never, and fits.
	every := min(float64(time.Second)/rate, float64(365*24*time.Hour))
	return &pacer{every: time.Duration(every), next: time.Now()}
}

func (p *pacer) wait(ctx context.Context) error {
	if p.every == 0 {
		return ctx.Err()
	}
	now := time.Now()
	if now.Sub(p.next) > time.Second {
		p.next = now
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	if ahead <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
