package feed

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html/charset"
)

const (
	maxItems   = 1000 // of one page
	maxDepth   = 200  // of elements in one another
	maxTitle   = 300  // characters
	maxSummary = 500  // characters
	maxLink    = 2 << 10
	maxID      = 4 << 10
)

// parse returns a page's items, oldest first. Of a page with too many it takes
// those at its begin, where feeds have the newest ones.
func parse(body []byte, contentType string, from *url.URL) ([]Item, error) {
	body, err := decode(body, contentType)
	if err != nil {
		return nil, err
	}
	if err := checkDepth(body); err != nil {
		return nil, err
	}
	page, err := parsePage(body)
	if err != nil {
		return nil, fmt.Errorf("this is no feed that can be read: %w", err)
	}
	source := plain(page.Title, maxTitle)
	if source == "" {
		source = from.Host
	}
	items := make([]Item, 0, min(len(page.Items), maxItems))
	dated := true
	for _, raw := range page.Items[:min(len(page.Items), maxItems)] {
		item := newItem(raw, from)
		if item.Title == "" && item.Summary == "" {
			continue
		}
		item.Source = source
		dated = dated && !item.Published.IsZero()
		items = append(items, item)
	}
	slices.Reverse(items)
	if dated {
		slices.SortStableFunc(items, func(a, b Item) int { return a.Published.Compare(b.Published) })
	}
	return items, nil
}

// parsePage calls the parser, which some pages make panic, like a JSON Feed
// with an item null. A page of one feed must not end the others' command.
func parsePage(body []byte) (page *gofeed.Feed, err error) {
	defer func() {
		if p := recover(); p != nil {
			page, err = nil, fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return gofeed.NewParser().Parse(bytes.NewReader(body))
}

// decode returns a page in UTF-8, without the declaration that may say anything
// else. A bad byte in UTF-8, like a character that was cut in half, costs that
// character and not the feed.
func decode(body []byte, contentType string) ([]byte, error) {
	label, body := declared(body)
	if label == "" {
		_, parameters, _ := mime.ParseMediaType(contentType)
		label = parameters["charset"]
	}
	if label == "" || strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "utf8") {
		return bytes.ToValidUTF8(body, []byte("\ufffd")), nil
	}
	r, err := charset.NewReaderLabel(label, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the feed's character set is %.40q, which is not known", label)
	}
	return io.ReadAll(r)
}

// declared returns the character set that a page says it is in, and the page
// without that.
func declared(body []byte) (label string, rest []byte) {
	begin := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\ufeff")), " \t\r\n")
	if !bytes.HasPrefix(begin, []byte("<?xml ")) {
		return "", body
	}
	declaration, rest, ok := bytes.Cut(begin, []byte("?>"))
	if !ok {
		return "", body
	}
	_, after, _ := strings.Cut(string(declaration), "encoding")
	after = strings.TrimLeft(after, " \t\r\n=")
	if after == "" || after[0] != '"' && after[0] != '\'' {
		return "", rest
	}
	label, _, _ = strings.Cut(after[1:], after[:1])
	return label, rest
}

var errTooDeep = errors.New("the feed's elements are too deep in one another")

// checkDepth refuses pages on which the parser would spend minutes.
func checkDepth(body []byte) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for depth := 0; depth < maxDepth; {
		token, err := d.RawToken()
		if err != nil {
			return nil // the parser finds out, and words it
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return errTooDeep
}

func newItem(raw *gofeed.Item, from *url.URL) Item {
	item := Item{
		ID:      raw.GUID,
		Title:   plain(raw.Title, maxTitle),
		Link:    link(raw.Link, from),
		Summary: plain(cmp.Or(raw.Description, raw.Content), maxSummary),
	}
	for _, at := range []*time.Time{raw.PublishedParsed, raw.UpdatedParsed} {
		if at != nil && item.Published.IsZero() {
			item.Published = at.UTC()
		}
	}
	item.ID = cmp.Or(strings.TrimSpace(item.ID), item.Link, item.Title+"\n"+item.Summary)
	item.ID = item.ID[:min(len(item.ID), maxID)]
	return item
}

// link returns an item's link as a whole address, or nothing if it leads to
// anything but a web page.
func link(raw string, from *url.URL) string {
	u, err := from.Parse(strings.TrimSpace(raw))
	if raw == "" || err != nil || checkAddress(u) != nil || u.User != nil {
		return ""
	}
	if s := u.String(); len(s) <= maxLink {
		return s
	}
	return ""
}
