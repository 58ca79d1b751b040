// Package quotes makes stock quotes: from a table in a file, or by chance. A
// quote's data is an object with "symbol" and "price", and whatever else is
// known of it.
package quotes

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Columns are the names of the columns that every quote needs. Where no column
// has exactly that name, one that differs in case only is taken.
type Columns struct {
	Symbol string
	Price  string
}

// maxRow bounds a row of a table. One quotation mark too many makes a row of
// all the rest.
const maxRow = 64 << 10

// Table reads quotes from comma-separated values (RFC 4180), a row at a time.
type Table struct {
	rows   *csv.Reader
	left   *budget
	names  [][]byte // of the fields that the columns become, as JSON
	symbol int
	price  int
	line   int // of the last row that was read
}

// NewTable reads the first row, which names the columns. Its errors, and those
// of Next, say in which line something is wrong, but for what r returns.
func NewTable(r io.Reader, c Columns) (*Table, error) {
	left := &budget{r: r}
	t := &Table{rows: csv.NewReader(left), left: left}
	t.rows.ReuseRecord = true
	header, err := t.read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line has to name the columns")
	}
	if err != nil {
		return nil, err
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	if t.symbol, err = column(header, c.Symbol); err != nil {
		return nil, err
	}
	if t.price, err = column(header, c.Price); err != nil {
		return nil, err
	}
	return t, t.name(header)
}

// name gives the columns their names in the data.
func (t *Table) name(header []string) error {
	names := slices.Clone(header)
	names[t.symbol], names[t.price] = "symbol", "price"
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("line 1: two columns would both be %q in the data", name)
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return err
		}
		t.names = append(t.names, quoted)
	}
	return nil
}

func column(header []string, name string) (int, error) {
	if i := slices.Index(header, name); i >= 0 {
		return i, nil
	}
	same := func(other string) bool { return strings.EqualFold(strings.TrimSpace(other), name) }
	if i := slices.IndexFunc(header, same); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("line 1: no column is named %q: there are %.200q", name, header)
}

// Next returns the next row's quote, with all columns in its data: a number
// with the digits that it was written with, anything else as a string. The
// error is io.EOF behind the last row.
func (t *Table) Next() (Quote, error) {
	row, err := t.read()
	if err != nil {
		return Quote{}, err
	}
	q := Quote{Symbol: row[t.symbol]}
	if q.Symbol == "" {
		return Quote{}, fmt.Errorf("line %d: the symbol is missing", t.line)
	}
	if !isNumber(row[t.price]) {
		return Quote{}, fmt.Errorf("line %d: the price %.40q is not a number like 187.20", t.line, row[t.price])
	}
	data := []byte("{")
	for i, cell := range row {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(append(data, t.names[i]...), ':')
		if data, err = appendCell(data, cell, i == t.symbol); err != nil {
			return Quote{}, err
		}
	}
	q.Data = append(data, '}')
	return q, nil
}

// read returns the next row, whose text is UTF-8.
func (t *Table) read() ([]string, error) {
	t.left.bytes = maxRow
	row, err := t.rows.Read()
	if errors.Is(err, errRowTooLong) {
		// The line at which the reader stands says nothing of where the row
		// began.
		return nil, fmt.Errorf("behind line %d: %w; is there a quotation mark too many?", t.line, errRowTooLong)
	}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, fmt.Errorf("line %d: %w", parse.Line, parse.Err)
	}
	if err != nil {
		return nil, err
	}
	t.line, _ = t.rows.FieldPos(0)
	for _, cell := range row {
		if !utf8.ValidString(cell) {
			return nil, fmt.Errorf("line %d: %.40q is not UTF-8", t.line, cell)
		}
	}
	return row, nil
}

func appendCell(data []byte, cell string, text bool) ([]byte, error) {
	if !text && isNumber(cell) {
		return append(data, cell...), nil
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	if err := e.Encode(cell); err != nil {
		return nil, err
	}
	return append(data, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...), nil
}

// isNumber reports whether a cell is a number as JSON writes them.
func isNumber(cell string) bool {
	if cell == "" || cell[0] != '-' && (cell[0] < '0' || cell[0] > '9') {
		return false
	}
	last := cell[len(cell)-1]
	return last >= '0' && last <= '9' && json.Valid([]byte(cell))
}

// budget is a reader that gives out only so many bytes.
type budget struct {
	r     io.Reader
	bytes int
}

var errRowTooLong = fmt.Errorf("a row is over %d KiB", maxRow>>10)

func (b *budget) Read(p []byte) (int, error) {
	if b.bytes <= 0 {
		return 0, errRowTooLong
	}
	n, err := b.r.Read(p)
	b.bytes -= n
	return n, err
}
