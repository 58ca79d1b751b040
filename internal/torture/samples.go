package torture

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Reading is what a hub's metrics said.
type Reading struct {
	Born       float64 // when the process began: another one has another time
	Delivered  float64 // events, since then
	Memory     float64 // resident, in bytes
	Goroutines float64
	Files      float64 // open descriptors
	Streams    float64
}

// up reports whether the hub answered at all.
func (r Reading) up() bool { return r.Born > 0 }

// Sample is what all hubs said at a moment.
type Sample struct {
	At   time.Duration // since the first one
	Hubs []Reading     // zero of those who did not answer
}

// Samples are the curves of a cluster's hubs.
type Samples struct {
	List   []Sample
	Faults []Moment
}

// Moment is when something was done.
type Moment struct {
	At   time.Duration
	What string
}

// watchHubs asks the hubs for their metrics, each time that so much has passed,
// until the function that it returns is called, which returns what they said.
func watchHubs(t testing.TB, hubs []*Hub, every time.Duration) (stop func() []Sample) {
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Second}
	hubs = slices.Clone(hubs)
	var list []Sample
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for began := time.Now(); ; {
			list = append(list, Sample{At: time.Since(began), Hubs: readAll(ctx, client, hubs)})
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	end := sync.OnceFunc(func() { cancel(); watching.Wait() })
	t.Cleanup(end)
	return func() []Sample { end(); return list }
}

// readAll asks all hubs at once.
func readAll(ctx context.Context, client *http.Client, hubs []*Hub) []Reading {
	readings := make([]Reading, len(hubs))
	var asking sync.WaitGroup
	for i, h := range hubs {
		asking.Go(func() {
			if r, err := read(ctx, client, "http://"+h.Admin+"/metrics"); err == nil {
				readings[i] = r
			}
		})
	}
	asking.Wait()
	return readings
}

// read asks one hub.
func read(ctx context.Context, client *http.Client, url string) (r Reading, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Reading{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Reading{}, err
	}
	defer response.Body.Close()
	wanted := map[string]*float64{"process_start_time_seconds": &r.Born, "tickertape_events_delivered_total": &r.Delivered,
		"process_resident_memory_bytes": &r.Memory, "go_goroutines": &r.Goroutines, "process_open_fds": &r.Files, "tickertape_streams": &r.Streams}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		field := wanted[name]
		if field == nil {
			continue
		}
		if *field, err = strconv.ParseFloat(text, 64); err != nil {
			return Reading{}, fmt.Errorf("%s: %w", name, err)
		}
		delete(wanted, name)
	}
	if err := lines.Err(); err != nil {
		return Reading{}, err
	}
	if len(wanted) > 0 {
		return Reading{}, fmt.Errorf("/metrics lacks %d of the metrics", len(wanted))
	}
	return r, nil
}
