//go:build linux

// Package labtest makes the labs of tests.
package labtest

import (
	"path/filepath"
	"testing"

	"tickertape/bench/internal/server"
)

// New makes a lab of this repository, on all cores, that ends with the test. It is
// for tests of packages beside this one.
func New(t testing.TB, o server.Options) *server.Lab {
	t.Helper()
	o.Source, o.Core = filepath.Join("..", "..", ".."), -1
	l, err := server.NewLab(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
