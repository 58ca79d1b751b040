//go:build linux

package load_test

import "strings"

// mangler is a fake's mangle.
type mangler = func(n int, message string) (status int, got []string, goes bool)

// wrong is something that a server does to 20 messages and two subscribers.
type wrong struct {
	mangle func() mangler
	want   string // the verdict
	lost   uint64
}

func wrongs() map[string]wrong {
	return map[string]wrong{
		"loss": {func() mangler {
			seen := 0
			return func(n int, m string) (int, []string, bool) {
				if n != 0 {
					return 200, []string{m}, true
				}
				if seen++; seen == 7 || seen == 20 { // the last one too
					return 200, nil, true
				}
				return 200, []string{m}, true
			}
		}, "2 lost", 2},
		"doubling": {func() mangler {
			return func(n int, m string) (int, []string, bool) {
				if n == 1 {
					return 200, []string{m, m}, true
				}
				return 200, []string{m}, true
			}
		}, "20 doubled", 0},
		"order": {func() mangler {
			var held []string
			return func(n int, m string) (int, []string, bool) {
				if n != 1 {
					return 200, []string{m}, true
				}
				if held = append([]string{m}, held...); len(held) < 2 {
					return 200, nil, true
				}
				got := held
				held = nil
				return 200, got, true
			}
		}, "10 out of order, 1 subscribers in another order", 0},
		"foreign": {func() mangler {
			return func(n int, m string) (int, []string, bool) {
				if n == 0 {
					return 200, []string{m, strings.Replace(m, "bench:0000000000", "bench:0000000001", 1), "bench:00xyz"}, true
				}
				return 200, []string{m}, true
			}
		}, "40 foreign", 0},
		"refusal": {func() mangler {
			seen := 0
			return func(n int, m string) (int, []string, bool) {
				if n == -1 {
					if seen++; seen%10 == 0 {
						return 503, nil, true
					}
				}
				return 200, []string{m}, true
			}
		}, "2 publishes refused, first a publish: status 503", 0},
	}
}
