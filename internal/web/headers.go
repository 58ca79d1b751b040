package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"
)

// answerHeaders are those of every answer, unless its route has others: it is what
// its Content-Type says, nobody keeps it, for it may be for one caller alone, and no
// other site's page shows it in a frame or embeds it. Scripts read it as CORS says.
func answerHeaders(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy", "frame-ancestors 'none'")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
	c.Header("Referrer-Policy", "no-referrer")
}

// pageHeaders let the page run its own script and nothing else, in a window that no
// other site's page has a hand in.
func pageHeaders(c *gin.Context) {
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Header("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	publicHeaders(c)
	if c.Request.TLS != nil { // a proxy speaks for itself
		c.Header("Strict-Transport-Security", "max-age=86400")
	}
}

// clientHeaders let pages of any origin import the browser client. They say so also
// where no Origin was sent: the answer may be kept for others.
func clientHeaders(c *gin.Context) {
	c.Header("Access-Control-Allow-Origin", "*")
	c.Header("Cross-Origin-Resource-Policy", "cross-origin")
	publicHeaders(c)
}

// publicHeaders are those of what is the same for everybody. Browsers keep it, and ask
// whether it is the newest each time they load it.
func publicHeaders(c *gin.Context) { c.Header("Cache-Control", "no-cache") }

// readers let pages of every origin read, and those of the origins that are named
// send their cookies along.
func (s *Server) readers() gin.HandlerFunc {
	all := anyOrigin()
	if len(s.options.PublishOrigins) == 0 {
		return all
	}
	named := s.named(http.MethodGet)
	return func(c *gin.Context) {
		if s.isNamed(c.GetHeader("Origin")) {
			named(c)
			return
		}
		c.Header("Vary", "Origin")
		all(c)
	}
}

// named lets pages of the origins that are named use the method, with their cookies.
func (s *Server) named(method string) gin.HandlerFunc {
	if len(s.options.PublishOrigins) == 0 {
		return func(*gin.Context) {}
	}
	allow := cors.New(cors.Config{AllowOrigins: s.options.PublishOrigins, AllowMethods: []string{method},
		AllowHeaders: requestHeaders(), AllowCredentials: !s.options.Authority.IsOpen(), MaxAge: corsAge})
	return func(c *gin.Context) {
		if s.isNamed(c.GetHeader("Origin")) {
			allow(c)
		}
	}
}

// anyOrigin lets pages of every origin read, without their cookies.
func anyOrigin() gin.HandlerFunc {
	return cors.New(cors.Config{AllowAllOrigins: true, AllowMethods: []string{http.MethodGet}, AllowHeaders: requestHeaders(), MaxAge: corsAge})
}

// corsAge is how long a browser need not ask again.
const corsAge = 12 * time.Hour

func (s *Server) isNamed(origin string) bool {
	return slices.Contains(s.options.PublishOrigins, origin)
}

// requestHeaders are those that a client on fetch may send.
func requestHeaders() []string {
	return []string{"Last-Event-ID", "Cache-Control", "Authorization", "Content-Type", "Idempotency-Key"}
}
