package feed_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tickertape/internal/feed"
)

// oneItem returns what becomes of an item of a JSON Feed.
func oneItem(t *testing.T, fields map[string]string) feed.Item {
	t.Helper()
	content, err := json.Marshal(map[string]any{"version": "https://jsonfeed.org/version/1.1", "items": []any{fields}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := fetch(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%s: %+v, %v", content, page.Items, err)
	}
	return page.Items[0]
}

func TestTextOfMarkup(t *testing.T) {
	t.Parallel()
	for markup, want := range map[string]string{
		"a<br/>b<p>c</p>d":                          "a b c d",
		"in<b>side</b> a <a href='x'>link</a>.":     "inside a link.",
		"<style>p { }</style>x<script>a<b</script>": "x",
		"<!-- hidden -->x <![CDATA[y]]>":            "x",
		"1 < 2 && 3 > 2 &amp; &#x1F4C8;":            "1 < 2 && 3 > 2 & 📈",
		"\x00a\x1b[31m\u200bb\n\t c":                "a[31m\u200bb c",
		"<img src=x onerror=alert(1)>text":          "text",
		strings.Repeat("word ", 100):                strings.Repeat("word ", 99) + "word",
	} {
		if got := oneItem(t, map[string]string{"id": "1", "title": "t", "content_html": markup}).Summary; got != want {
			t.Errorf("%q: %q, want %q", markup, got, want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	for _, long := range []string{strings.Repeat("行情📈 ", 500), strings.Repeat("x", 5000), strings.Repeat("a, ", 2000)} {
		item := oneItem(t, map[string]string{"id": "1", "title": long, "content_html": "<p>" + long})
		for _, got := range []struct {
			text  string
			limit int
		}{{item.Title, 300}, {item.Summary, 500}} {
			n := utf8.RuneCountInString(got.text)
			if n > got.limit || n < got.limit*3/4 || !strings.HasSuffix(got.text, "…") || unicode.IsSpace([]rune(got.text)[n-2]) {
				t.Errorf("%d characters of at most %d: %q", n, got.limit, got.text)
			}
			if !strings.HasPrefix(long, strings.TrimSuffix(got.text, "…")) {
				t.Errorf("%q is no begin", got.text)
			}
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://a.example/x?y#z":          "https://a.example/x?y#z",
		" http://a.example/ü ":             "http://a.example/%C3%BC",
		"javascript:alert(1)":              "",
		"JavaScript:alert(1)":              "",
		"data:text/html,x":                 "",
		"file:///etc/passwd":               "",
		"ftp://a.example/":                 "",
		"https://user:password@a.example/": "",
		"https://":                         "",
		"http://[::1":                      "",
		"":                                 "",
		"https://a.example/" + strings.Repeat("x", 3000): "",
	} {
		if got := oneItem(t, map[string]string{"id": "1", "title": "t", "url": raw}).Link; got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://a.example/feed": true, "http://127.0.0.1:8000": true,
		"a.example/feed": false, "file:///etc/passwd": false, "feed:https://a.example": false, "https://": false, "http://[": false, "": false,
	} {
		if err := feed.CheckURL(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// FuzzFeed reads whatever a server may send.
func FuzzFeed(f *testing.F) {
	f.Add("text/xml", []byte(rss("<item><title>x</title><link>/y</link><pubDate>Fri, 20 Nov 2026 16:58:00 GMT</pubDate></item>")))
	f.Add("", []byte(`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"<b>x"},null]}`))
	f.Add("text/xml; charset=gbk", []byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">&lt;p</title></entry></feed>`))
	f.Fuzz(func(t *testing.T, contentType string, content []byte) {
		f := feed.NewFetcher(feed.Options{Transport: answer{contentType, content}})
		page, err := f.Fetch(t.Context(), "https://a.example/feed", feed.Version{})
		if err != nil {
			return
		}
		for _, i := range page.Items {
			for _, text := range []string{i.Title, i.Summary, i.Source, i.Link} {
				if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 4<<10 {
					t.Errorf("text %q", text)
				}
			}
			if i.ID == "" || i.Link != "" && feed.CheckURL(i.Link) != nil {
				t.Errorf("%+v", i)
			}
		}
	})
}

// answer is a transport that answers by itself.
type answer struct {
	contentType string
	content     []byte
}

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(bytes.NewReader(a.content)), Request: r}, nil
}
