//go:build unix

package main_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	stocksPackage = "vega-datasets@3.2.1"
	stocksMember  = "package/data/stocks.csv"
	stocksRows    = 560
	stocksCache   = "../../.cache/stocks.csv"
	stocksExtract = "testdata/stocks.csv"
	// packTime is how long npm may take.
	packTime = 2 * time.Minute
)

// stocks returns the rows of stocks.csv by date, those of one date by symbol.
// The file is fetched once; where npm cannot get it, the shipped extract
// serves.
func stocks(t *testing.T) []quote {
	t.Helper()
	from := stocksCache
	text, err := os.ReadFile(stocksCache)
	if errors.Is(err, os.ErrNotExist) {
		from = stocksPackage
		text, err = fetchStocks(t)
	}
	want := stocksRows
	if err != nil {
		t.Logf("%s is out of reach: %v", stocksPackage, err)
		from, want = stocksExtract, 40
		if text, err = os.ReadFile(stocksExtract); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := parseStocks(text)
	if err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	if len(rows) != want {
		t.Fatalf("%s has %d rows instead of %d", from, len(rows), want)
	}
	t.Logf("%d rows from %s", len(rows), from)
	return rows
}

// fetchStocks gets the file out of its npm package and keeps it for the next
// time.
func fetchStocks(t *testing.T) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), packTime)
	defer cancel()
	pack := exec.CommandContext(ctx, "npm", "pack", "--silent", "--fetch-retry-mintimeout=1000", stocksPackage)
	pack.Dir = t.TempDir()
	pack.WaitDelay = 5 * time.Second
	name, err := pack.Output()
	if err != nil {
		return nil, fmt.Errorf("npm pack: %w", err)
	}
	text, err := member(filepath.Join(pack.Dir, strings.TrimSpace(string(name))), stocksMember)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(stocksCache), 0o755); err != nil {
		return nil, err
	}
	// Renamed into place: another run never sees half of it.
	half := filepath.Join(filepath.Dir(stocksCache), fmt.Sprintf("stocks.%d.half", os.Getpid()))
	if err := os.WriteFile(half, text, 0o644); err != nil {
		return nil, err
	}
	return text, os.Rename(half, stocksCache)
}

// member returns one file of a .tgz.
func member(archive, name string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", name, err)
		}
		if header.Name == name {
			return io.ReadAll(files)
		}
	}
}

func parseStocks(text []byte) ([]quote, error) {
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || !slices.Equal(records[0], []string{"symbol", "date", "price"}) {
		return nil, errors.New("the header is not symbol,date,price")
	}
	var rows []quote
	for _, r := range records[1:] {
		date, err := time.Parse("Jan 2 2006", r[1])
		if err != nil {
			return nil, err
		}
		rows = append(rows, quote{symbol: r[0], day: r[1], date: date, price: r[2]})
	}
	slices.SortStableFunc(rows, func(a, b quote) int {
		return cmp.Or(a.date.Compare(b.date), cmp.Compare(a.symbol, b.symbol))
	})
	return rows, nil
}
