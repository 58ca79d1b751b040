package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

// An address that only redirects is told by its name: what was to be published
// is not sent as another request than was meant, nor to another host.
func TestPublishFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Redirect(w, r, "https://hub.test"+r.URL.Path, status)
		}))
		c := newClient(t, server.URL, client.Options{})
		messages := make(chan event.Message, 1)
		messages <- text("t", "x")
		close(messages)
		tally, err := c.Pipe(t.Context(), messages, client.PipeOptions{})
		if err == nil || client.Passing(err) || tally.Accepted != 0 || !strings.Contains(err.Error(), "https://hub.test/publish") {
			t.Errorf("%d, pipe: %+v, %v", status, tally, err)
		}
		if _, err = c.Publish(t.Context(), text("t", "x")); err == nil || client.Passing(err) || !strings.Contains(err.Error(), "https://hub.test/publish") {
			t.Errorf("%d, publish: %v", status, err)
		}
		if asked != 2 {
			t.Errorf("%d: asked %d times", status, asked)
		}
		server.Close()
	}
}
