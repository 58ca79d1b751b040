//go:build unix

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"tickertape/internal/browser"
)

const stocksPath = "/events?envelope=true&topic=quotes.MSFT&topic=quotes.AMZN&topic=quotes.IBM&topic=quotes.GOOG&topic=quotes.AAPL"

// TestStocks sends real quotes through a hub that was started as the README
// says, to a browser: every row arrives once, in order, with the digits that
// it has in the file.
func TestStocks(t *testing.T) {
	t.Parallel()
	rows := stocks(t)
	hub := startHub(t)
	tab := browser.Start(t).Tab(t)
	tab.Open(hub.url + "/")
	source := tab.Listen(stocksPath)
	source.Await("hub.open", 1)
	var ids []string
	for _, batch := range byDate(rows) {
		ids = append(ids, publishQuotes(t, hub.url, batch)...)
	}
	expectQuotes(t, hub.url, source, rows, ids)
	if c := tab.Complaints(); len(c) > 0 {
		t.Errorf("the console complains: %v", c)
	}
}

// expectQuotes waits until the browser has all rows, and checks that it got
// each of them once, in order, and heard of no gap.
func expectQuotes(t *testing.T, url string, source *browser.Source, rows []quote, ids []string) {
	t.Helper()
	got := source.Await("message", len(rows))
	perTopic := map[string]int{}
	for i, r := range got[:len(rows)] {
		var e struct {
			Topic, ID string
			Data      json.RawMessage
		}
		if err := json.Unmarshal([]byte(r.Data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Topic != rows[i].topic() || string(e.Data) != rows[i].data() || e.ID != ids[i] || r.ID != ids[i] {
			t.Fatalf("event %d is %s with id %s; row %s with id %s was due", i, r.Data, r.ID, rows[i].data(), ids[i])
		}
		perTopic[e.Topic]++
	}
	// Whatever came twice would have come before this one.
	last := publishQuotes(t, url, rows[:1])
	end := source.Await("message", len(rows)+1)
	if len(end) != len(rows)+1 || end[len(rows)].ID != last[0] {
		t.Errorf("%d events after %d rows and one more message", len(end), len(rows))
	}
	if gaps := source.Events("hub.gap"); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	t.Logf("%d of %d rows arrived once, in order: %v", len(ids), len(rows), perTopic)
}

// byDate cuts the rows into batches of one date each.
func byDate(rows []quote) (batches [][]quote) {
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(q quote) bool { return !q.date.Equal(rows[0].date) })
		if n < 0 {
			n = len(rows)
		}
		batches = append(batches, rows[:n])
		rows = rows[n:]
	}
	return batches
}

// publishQuotes publishes rows as one batch and returns their ids.
func publishQuotes(t *testing.T, url string, rows []quote) []string {
	t.Helper()
	var batch []map[string]any
	for _, q := range rows {
		batch = append(batch, map[string]any{"topic": q.topic(), "data": json.RawMessage(q.data())})
	}
	body, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/publish", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", resp.Status, text, err)
	}
	var answer struct{ Results []struct{ ID string } }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Results) != len(rows) {
		t.Fatalf("%s: %v", text, err)
	}
	ids := make([]string, len(rows))
	for i, r := range answer.Results {
		ids[i] = r.ID
	}
	return ids
}

// quote is a row of stocks.csv.
type quote struct {
	symbol string
	day    string // as written
	date   time.Time
	price  string // as written
}

func (q quote) topic() string { return "quotes." + q.symbol }

func (q quote) data() string {
	return fmt.Sprintf(`{"symbol":%q,"date":%q,"price":%s}`, q.symbol, q.day, q.price)
}
