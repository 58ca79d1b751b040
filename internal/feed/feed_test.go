package feed_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tickertape/internal/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server of one page and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func body(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		_, _ = io.WriteString(w, text)
	}
}

func fetch(t *testing.T, address string) (feed.Page, error) {
	t.Helper()
	f := feed.NewFetcher(feed.Options{UserAgent: "test"})
	defer f.Close()
	return f.Fetch(t.Context(), address, feed.Version{})
}

func TestRecordedFeeds(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"rss.xml": {
			"gazette-88101|Correction||Harbour Gazette | Markets|2026-11-19T22:00:00Z|",
			"https://gazette.example/markets/cafe|Café chain “Größe” lists in 香港 📈|https://gazette.example/markets/cafe|Harbour Gazette | Markets|2026-11-20T08:30:00Z|First day: +12 < expected. No markup here.",
			"gazette-88213|Shares of ferry builders rise & fall again|https://gazette.example/markets/ferries?utm_source=rss&utm_medium=feed|Harbour Gazette | Markets|2026-11-20T16:58:00Z|After a calm week, the sector’s index moved by 4 %. Analysts shrugged.",
		},
		"atom.xml": {
			"tag:notes.example,2013:notes.example/ordering|On ordering|https://notes.example/ordering|The Gopher Notes|2026-10-02T15:15:00Z|First things first.",
			"tag:notes.example,2013:notes.example/streams|Streams that come back|HOST/streams|The Gopher Notes|2026-11-18T00:00:00Z|What a cursor — an id: — is good for.",
		},
		"feed.json": {
			"https://wire.example/1||https://wire.example/1|Small Wire|2026-11-20T10:00:00Z|A note without a title",
			"https://wire.example/2|Second|https://wire.example/2|Small Wire|2026-11-21T10:00:00Z|Two lines é🚀",
		},
	} {
		content, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		address := serve(t, body("", string(content)))
		page, err := fetch(t, address)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var got []string
		for _, i := range page.Items {
			got = append(got, strings.Join([]string{i.ID, i.Title, strings.Replace(i.Link, address, "HOST", 1), i.Source, i.Published.Format(time.RFC3339), i.Summary}, "|"))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func rss(items string) string {
	return `<rss version="2.0" xmlns:x="http://x.example"><channel><title>T</title>` + items + `</channel></rss>`
}

// TestEncodings reads what is not UTF-8, and what is not quite.
func TestEncodings(t *testing.T) {
	t.Parallel()
	item := func(title string) string { return rss("<item><title>" + title + "</title></item>") }
	for _, c := range []struct{ contentType, page, want string }{
		{"text/xml", `<?xml version="1.0" encoding="ISO-8859-1"?>` + item("caf\xe9"), "café"},
		{"text/xml; charset=utf-8", `<?xml version='1.0' encoding = 'GBK' ?>` + item("\xb9\xc9\xbc\xdb"), "股价"},
		{"text/xml; charset=iso-8859-1", item("caf\xe9"), "café"},
		{"text/xml; charset=utf-8", item("half \xe8\x82"), "half \ufffd"},
		{"application/rss+xml", `<?xml version="1.0"?>` + item("half \xe8\x82"), "half \ufffd"},
		{"", "\ufeff" + item("BOM"), "BOM"},
		{"", `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"half ` + "\xe8\x82" + `\ud83d"}]}`, "half \ufffd\ufffd"},
		{"", item("a &lt;i&gt;b&lt;/i&gt;c &nbsp; d"), "a bc d"},
		{"", `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"a\u0007\u009fb\u2028c"}]}`, "ab c"},
	} {
		page, err := fetch(t, serve(t, body(c.contentType, c.page)))
		if err != nil || len(page.Items) != 1 || page.Items[0].Title != c.want {
			t.Errorf("%q: %+v, %v, want %q", c.page, page.Items, err, c.want)
		}
	}
}

// TestBadFeeds fails within bounds.
func TestBadFeeds(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("<item/>", 10_000)); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"not found":    {http.NotFound, "the server answered 404 Not Found"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "the server answered 304"},
		"a page":       {body("text/html", "<!doctype html><title>x</title>"), "this is no feed"},
		"empty":        {body("", ""), "this is no feed"},
		"cut":          {body("", rss("<item><title>x</title></item>")[:100]), "this is no feed"},
		"item null":    {body("", `{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[null]}`), "the parser gave up"},
		"deep JSON":    {body("", `{"version":"https://jsonfeed.org/version/1.1","items":`+strings.Repeat("[", 1<<20)), "this is no feed"},
		"deep XML":     {body("", rss(strings.Repeat("<x:a>", 800_000))), "too deep"},
		"unknown set":  {body("text/xml; charset=klingon", rss("")), `character set is "klingon"`},
		"huge":         {endless, "the feed is over 5 MiB"},
		"bomb":         {zipped(200 << 20), "the feed is over 5 MiB"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "<rss>")
		}, "the feed broke off: unexpected EOF"},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "header"},
		"circle":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "over 5 redirections"},
		"other scheme": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://feeds.example/x", http.StatusFound)
		}, `"ftp://feeds.example/x" is not a URL of http or https`},
	} {
		page, err := fetch(t, serve(t, c.handler))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(page.Items) > 0 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// zipped serves white space that is small on the way.
func zipped(size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range size >> 20 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		_ = z.Close()
	}
}

func TestSlowFeed(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"says nothing": "", "stops in the middle": "<rss>"} {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if begin != "" {
				_, _ = io.WriteString(w, begin)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		f := feed.NewFetcher(feed.Options{Timeout: 50 * time.Millisecond})
		_, err := f.Fetch(t.Context(), address, feed.Version{})
		f.Close()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	version := feed.Version{ETag: `"v1"`, LastModified: "Fri, 20 Nov 2026 17:05:12 GMT"}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == version.ETag && r.Header.Get("If-Modified-Since") == version.LastModified {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", version.ETag)
		w.Header().Set("Last-Modified", version.LastModified)
		_, _ = io.WriteString(w, rss("<item><title>x</title></item>"))
	})
	f := feed.NewFetcher(feed.Options{})
	defer f.Close()
	page, err := f.Fetch(t.Context(), address, feed.Version{})
	if err != nil || page.Version != version || page.Unchanged || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = f.Fetch(t.Context(), address, page.Version)
	if err != nil || page.Version != version || !page.Unchanged || len(page.Items) != 0 {
		t.Fatalf("%+v, %v", page, err)
	}
}

// TestRedirectedFeed follows some redirections; links count from where they
// lead.
func TestRedirectedFeed(t *testing.T) {
	t.Parallel()
	next := map[string]string{"/": "/1", "/1": "/2", "/2": "/a/feed"}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if to := next[r.URL.Path]; to != "" {
			http.Redirect(w, r, to, http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, rss("<item><title>x</title><link>b</link></item>"))
	})
	page, err := fetch(t, address)
	if err != nil || len(page.Items) != 1 || page.Items[0].Link != address+"/a/b" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"120": 2 * time.Minute, "9999999": 24 * time.Hour, "-1": 0, "soon": 0} {
		_, err := fetch(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		e, ok := errors.AsType[*feed.StatusError](err)
		if !ok || e.Status != 503 || e.RetryAfter != want {
			t.Errorf("%s: %+v", header, err)
		}
	}
}
