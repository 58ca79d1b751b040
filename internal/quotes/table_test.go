package quotes_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"tickertape/internal/quotes"
)

func readTable(r io.Reader, c quotes.Columns) (read []string, err error) {
	table, err := quotes.NewTable(r, c)
	if err != nil {
		return nil, err
	}
	for {
		q, err := table.Next()
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return read, err
		}
		read = append(read, q.Symbol+" "+string(q.Data))
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	usual := quotes.Columns{Symbol: "symbol", Price: "price"}
	for name, c := range map[string]struct {
		file    string
		columns quotes.Columns
		want    []string
	}{
		"all columns": {"symbol,date,price\nMSFT,Jan 1 2000,39.810\n", usual, []string{`MSFT {"symbol":"MSFT","date":"Jan 1 2000","price":39.810}`}},
		"digits":      {"symbol,price,a,b,c,d\nX,1e400,007,-0.50,+1,12345678901234567890.10\n", usual, []string{`X {"symbol":"X","price":1e400,"a":"007","b":-0.50,"c":"+1","d":12345678901234567890.10}`}},
		"named":       {"Ticker,Close,Open\nA,2,1\n", quotes.Columns{Symbol: "ticker", Price: "Close"}, []string{`A {"symbol":"A","price":2,"Open":1}`}},
		"quoted":      {"\"symbol\",\"price\",\"a\"\r\n\"A\",\"2\",\"x, \"\"y\"\"\nz<\"\r\n", usual, []string{`A {"symbol":"A","price":2,"a":"x, \"y\"\nz<"}`}},
		"BOM":         {"\ufeffsymbol,price\nA,2", usual, []string{`A {"symbol":"A","price":2}`}},
		"a number":    {"symbol,price\n1234,2\n", usual, []string{`1234 {"symbol":"1234","price":2}`}},
		"no rows":     {"symbol,price\n", usual, nil},
		"empty cell":  {"symbol,price,a\nA,2,\n\nB,3,true\n", usual, []string{`A {"symbol":"A","price":2,"a":""}`, `B {"symbol":"B","price":3,"a":"true"}`}},
	} {
		got, err := readTable(strings.NewReader(c.file), c.columns)
		if err != nil || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestBadTable(t *testing.T) {
	t.Parallel()
	const begin = "symbol,price\nA,1\n"
	for file, want := range map[string]string{
		"":                      "the file is empty",
		"\n\n":                  "the file is empty",
		"price\n1\n":            `line 1: no column is named "symbol": there are ["price"]`,
		"symbol,close\n":        `line 1: no column is named "price"`,
		"symbol,price,a,a\n":    `line 1: two columns would both be "a"`,
		begin + "B,1,2\n":       "line 3: wrong number of fields",
		begin + ",1\n":          "line 3: the symbol is missing",
		begin + "B,\n":          `line 3: the price "" is not a number`,
		begin + "B,1.\n":        `line 3: the price "1." is not`,
		begin + "B, 1\n":        `line 3: the price " 1" is not`,
		begin + "B,NaN\n":       `line 3: the price "NaN" is not`,
		begin + "B,\"x\ny\"z\n": "line 4: extraneous",
		begin + "B\xe8\x82,1\n": `line 3: "B\xe8\x82" is not UTF-8`,
		begin + "\"B" + strings.Repeat("x,1\n", 1<<20): "behind line 2: a row is over 64 KiB; is there a quotation mark too many?",
	} {
		_, err := readTable(strings.NewReader(file), quotes.Columns{Symbol: "symbol", Price: "price"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", file, err, want)
		}
	}
	_, err := readTable(iotest.TimeoutReader(strings.NewReader(begin)), quotes.Columns{Symbol: "symbol", Price: "price"})
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("symbol,date,price\nMSFT,Jan 1 2000,39.81\n"))
	f.Add([]byte("\ufeffa,SYMBOL, price \n\"x\"\"\n\",A,-1e5\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		table, err := quotes.NewTable(strings.NewReader(string(file)), quotes.Columns{Symbol: "symbol", Price: "price"})
		for err == nil {
			var q quotes.Quote
			if q, err = table.Next(); err != nil {
				break
			}
			var d struct {
				Symbol string
				Price  json.Number
			}
			if e := json.Unmarshal(q.Data, &d); e != nil || d.Symbol != q.Symbol || d.Price == "" {
				t.Fatalf("%q: %s, %v", q.Symbol, q.Data, e)
			}
		}
	})
}
