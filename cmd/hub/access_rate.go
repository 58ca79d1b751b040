package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"tickertape/internal/event"
)

const (
	// defaultRate is how many messages a second whoever is no backend job may publish.
	defaultRate = 100
	// noRate says that somebody may publish as fast as they like.
	noRate = "none"
	// rateField is what says how fast somebody may publish.
	rateField = "publish_rate"
)

// parseRate reads how fast somebody may publish, in messages a second; 0: as fast as
// they like.
func parseRate(n ast.Node) (float64, error) {
	text, err := textOf(n, rateField)
	if err != nil || text == noRate {
		return 0, err
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate >= event.MinRate && rate <= event.MaxRate) { // nor what is no number
		return 0, wrong(n, "%s is %.64q; use a number of messages a second, from %g to %d, or %s for as many as they like", rateField, text, event.MinRate, event.MaxRate, noRate)
	}
	return rate, nil
}

// describeRate prints how fast somebody may publish.
func describeRate(w io.Writer, who string, rate float64, of string) {
	if rate == 0 {
		_, _ = fmt.Fprintf(w, "  %s\tpublishes\tas fast as it likes\n", who)
		return
	}
	_, _ = fmt.Fprintf(w, "  %s\tpublishes\tat most %g messages a second%s\n", who, rate, of)
}
