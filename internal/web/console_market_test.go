package web_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// market makes up quotes and headlines that look like real ones; the same
// seed makes the same.
type market struct {
	random *rand.Rand
	prices []price
}

type price struct {
	symbol string
	value  float64
}

func newMarket(seed uint64) *market {
	return &market{rand.New(rand.NewPCG(seed, seed)), []price{{"AAPL", 187.2}, {"AMZN", 214.85}, {"BABA", 96.4},
		{"GOOG", 176.3}, {"MSFT", 428.9}, {"NVDA", 131.55}, {"TCEHY", 58.12}, {"TSLA", 251.05}}}
}

// quotes returns a round of quotes, one of each symbol.
func (m *market) quotes() []note {
	notes := make([]note, len(m.prices))
	for i := range m.prices {
		p := &m.prices[i]
		p.value *= math.Exp(0.0014 * m.random.NormFloat64())
		notes[i] = quoteOf(p.symbol, p.value)
	}
	return notes
}

func quoteOf(symbol string, price float64) note {
	data := fmt.Sprintf(`{"symbol":%q,"price":%.2f}`, symbol, price)
	return note{Topic: "quotes." + symbol, Event: "quote", Key: symbol, Data: json.RawMessage(data)}
}

// headlines returns a dozen, the oldest first, as if the last one were of now.
func headlines(now time.Time) (notes []note) {
	for i, h := range [...]struct{ title, source string }{
		{"Ports report calmest quarter for shipping delays in six years", "Harbour Daily"},
		{"Regulator publishes draft rules for instant payments", "Policy Wire"},
		{"Solar output covers half of midday demand for a full week", "Grid Watch"},
		{"Rail operator orders 120 battery trains for rural lines", "Transport Post"},
		{"Wheat futures ease as harvest forecast is raised again", "Commodity Desk"},
		{"Chip makers lift spending plans, citing demand for memory", "Silicon Courier"},
		{"Small banks agree on a shared settlement platform", "Ledger Journal"},
		{"Survey: two in three teams now ship to production every day", "Build Weekly"},
		{"Insurers cut premiums for homes with flood sensors", "Risk Review"},
		{"Airline group posts record punctuality for October", "Transport Post"},
		{"Central bank holds rates, sees inflation near its target", "Policy Wire"},
		{"Electric vans overtake diesel in new city registrations", "Motor Ledger"},
	} {
		published := now.Add(-time.Duration(11-i) * 7 * time.Minute)
		notes = append(notes, note{Topic: "news", Event: "headline", Data: map[string]string{"title": h.title,
			"link": fmt.Sprintf("https://news.example/%d", i+1), "source": h.source, "published": published.Format(time.RFC3339)}})
	}
	return notes
}
