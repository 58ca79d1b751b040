package web

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// bodyKind is one of the forms in which messages come.
type bodyKind int

const (
	unknownBody  bodyKind = iota
	jsonBody              // a message, or an array of them
	rawBody               // the data itself
	ndjsonStream          // a message a line, for as long as it takes
	sseStream             // somebody's stream of events
)

// rawTypes are the media types whose body is the data itself; the last one is
// what curl's -d says.
var rawTypes = [...]string{"", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"}

// bodyKindOf tells the bodies apart. With an error it still says which kind
// was meant.
func bodyKindOf(h http.Header) (bodyKind, error) {
	media, params, err := mediaOf(h)
	kind := kindOf(media)
	if slices.ContainsFunc(h.Values("Content-Encoding"), isEncoded) {
		return kind, errEncoding
	}
	if n := len(h.Values("Content-Type")); n > 1 {
		return kind, invalid("Content-Type", "is given %d times", n)
	}
	if err != nil && h.Get("Content-Type") != "" {
		return kind, errMediaType
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return kind, hinted{errMediaType, "send text as UTF-8"}
	}
	if kind == unknownBody {
		return kind, hinted{errMediaType, "use application/json, application/x-ndjson or text/event-stream, or text/plain for a raw body"}
	}
	return kind, nil
}

func isEncoded(coding string) bool {
	return coding != "" && !strings.EqualFold(coding, "identity")
}

// mediaOf reads a request's media type. What says it as this package does needs no
// parsing.
func mediaOf(h http.Header) (media string, params map[string]string, err error) {
	text := h.Get("Content-Type")
	if kindOf(text) != unknownBody && text != "" {
		return text, nil, nil
	}
	return mime.ParseMediaType(text)
}

func kindOf(media string) bodyKind {
	switch {
	case media == "application/json":
		return jsonBody
	case media == "application/x-ndjson":
		return ndjsonStream
	case media == "text/event-stream":
		return sseStream
	case slices.Contains(rawTypes[:], media):
		return rawBody
	}
	return unknownBody
}
