package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
)

// credentialCookie is where a page's token may stand. Browsers take a cookie with
// this prefix only over TLS, and only from the very host it is sent to.
const credentialCookie = "__Host-tickertape"

// errCookieOrigin says that a cookie does not count. Browsers send cookies along
// with whatever a foreign page has them ask for.
var errCookieOrigin = errors.New("a cookie counts only in requests from the hub's own pages, or from origins that --publish-origins names")

// handler answers a request of somebody.
type handler func(*gin.Context, *auth.Caller)

// answerTime is how long a client may take to read an answer, besides what the kernel
// keeps for it.
const answerTime = 30 * time.Second

// reading has a handler answer requests that change nothing, once it is known who
// makes them. They are counted, as often as an address may make them, and so many at
// once.
func (s *Server) reading(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		done, err := s.door.read(s.door.client(c.Request).network)
		if err != nil {
			s.fail(c, err)
			return
		}
		defer done()
		caller, err := s.caller(c.Request)
		if err != nil {
			s.fail(c, err)
			return
		}
		control := http.NewResponseController(c.Writer)
		_ = control.SetWriteDeadline(time.Now().Add(answerTime)) // fails only without a connection
		h(c, caller)
		_ = control.SetWriteDeadline(time.Time{}) // the next answer has its own
	}
}

// writing has a handler answer requests that no page of a foreign origin may make.
func (s *Server) writing(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := s.writer(c)
		if err != nil {
			p := describe(err)
			if p.Status >= http.StatusTooManyRequests {
				p.Stored = "no" // what may be tried again says so
			}
			s.answer(c, p, err)
			return
		}
		h(c, caller)
	}
}

// writer returns who makes a request that no page of a foreign origin may make. Only
// those are counted whose credential is none: each costs to find out.
func (s *Server) writer(c *gin.Context) (*auth.Caller, error) {
	network := s.door.client(c.Request).network
	if err := s.door.suspect(network); err != nil {
		return nil, err
	}
	caller, err := s.caller(c.Request)
	if statusOf(err) == http.StatusUnauthorized {
		_ = s.door.ask(network) // it is refused already
	}
	if err == nil && !s.mayWrite(c.Request, caller) {
		err = errOrigin
	}
	return caller, err
}

// preflight answers a page's question whether it may make a request.
func (s *Server) preflight(c *gin.Context) {
	if !s.mayWrite(c.Request, nil) {
		s.fail(c, errOrigin)
		return
	}
	noContent(c)
}

func (s *Server) caller(r *http.Request) (*auth.Caller, error) {
	credential, err := s.credentialOf(r)
	if err != nil {
		return nil, err
	}
	return s.options.Authority.Identify(r.Context(), credential)
}

// credentialOf returns what a request says to prove who makes it: the header
// Authorization (RFC 6750), in a GET the query access_token, for a native
// EventSource has no headers of its own, or else the cookie. Of the first two
// there may be one.
func (s *Server) credentialOf(r *http.Request) (string, error) {
	if s.options.Authority.IsOpen() {
		return "", nil
	}
	header, err := bearerOf(r.Header)
	if err != nil {
		return "", err
	}
	query, err := queryToken(r)
	switch {
	case err != nil:
		return "", err
	case header != "" && query != "":
		return "", invalid("access_token", "stands in the query, and the header Authorization has a credential too; send one")
	case header != "" || query != "":
		return header + query, nil
	}
	return s.cookieOf(r)
}

// bearerOf returns the credential of the header.
func bearerOf(h http.Header) (string, error) {
	values := h.Values("Authorization")
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", invalid("Authorization", "is given %d times", len(values))
	}
	scheme, credential, _ := strings.Cut(values[0], " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", &auth.CredentialError{Cause: `the header Authorization is not of the form "Bearer" and a token or an API key`}
	}
	return credential, nil
}

// queryToken returns the token in the query of a GET.
func queryToken(r *http.Request) (string, error) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.RawQuery, "access_token") {
		return "", nil
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	values := query["access_token"]
	if len(values) > 1 {
		return "", invalid("access_token", "is given %d times in the query", len(values))
	}
	return query.Get("access_token"), nil
}

// cookieOf returns the token in the cookie, if the request is one in which that
// counts.
func (s *Server) cookieOf(r *http.Request) (string, error) {
	cookies := r.CookiesNamed(credentialCookie)
	switch len(cookies) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", invalid("Cookie", "has %s %d times", credentialCookie, len(cookies))
	}
	if !s.trusted(r) {
		return "", errCookieOrigin
	}
	return cookies[0].Value, nil
}

// trusted reports whether a browser says that a page of the hub's own origin, or
// of one that is allowed, has made the request. Of a GET it may say nothing: older
// ones do so within their origin, and never where another origin could read the
// answer. An origin alone does not say whether its page came by the same way: the
// hub may not know that its own is https.
func (s *Server) trusted(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		if origin == "" {
			return r.Method == http.MethodGet || r.Method == http.MethodHead
		}
		return s.isNamed(origin) || isOwn(origin, r.Host)
	}
	return s.isNamed(origin)
}

// isOwn reports whether the origin is that of the hub's own pages.
func isOwn(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == host
}
