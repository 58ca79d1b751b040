package main

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CET", 3600)
	at := time.Date(2026, 11, 21, 23, 30, 5, 7e6, zone)
	for now, want := range map[time.Time]string{
		time.Date(2026, 11, 21, 22, 59, 0, 0, time.UTC): "23:30:05.007",
		time.Date(2026, 11, 21, 23, 1, 0, 0, time.UTC):  "2026-11-21 23:30:05.007",
		time.Date(2027, 11, 21, 23, 30, 0, 0, zone):     "2026-11-21 23:30:05.007",
	} {
		if got := moment(at, now); got != want {
			t.Errorf("seen at %v: %s, want %s", now, got, want)
		}
	}
}
