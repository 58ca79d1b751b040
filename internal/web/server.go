// Package web is the hub's HTTP face: routes, bodies, queries, error answers,
// CORS, and the page at "/". It is the only package that knows Gin.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/hub"
	"tickertape/internal/stream"
)

// Options are the server's settings.
type Options struct {
	// PublishOrigins are the origins (scheme://host[:port]) whose pages may
	// publish, besides the hub's own.
	PublishOrigins []string
	Limits         Limits
	// RulesDiffer reports whether another node has other rules; nil: there is
	// no other one.
	RulesDiffer func() bool
	// Authority knows who may do what; nil: everybody everything. The server's
	// owner closes it.
	Authority *auth.Authority
	Log       *slog.Logger
}

// Server answers the hub's HTTP requests.
type Server struct {
	hub     *hub.Hub
	bus     hub.Bus
	streams *stream.Server
	options Options
	log     *slog.Logger
	engine  *gin.Engine

	door     *door
	conns    *conns
	counts   publishCounts
	limited  *limitCounts
	intakes  *intakes
	outage   outage // of the store
	crowd    outage // of room for streams
	draining atomic.Bool
	panics   atomic.Uint64
}

//go:embed page
var pageFiles embed.FS

// New returns a Server, or says which option is wrong.
func New(h *hub.Hub, bus hub.Bus, streams *stream.Server, o Options) (*Server, error) {
	for _, origin := range o.PublishOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Contains(u.Host, "*") || origin != strings.ToLower(origin) || origin != u.Scheme+"://"+u.Host {
			return nil, fmt.Errorf("publish origin %q is not of the form https://host[:port], in lower case", origin)
		}
	}
	if o.Authority == nil {
		o.Authority = auth.Open()
	}
	gin.SetMode(gin.ReleaseMode)
	limits := o.Limits.withDefaults()
	s := &Server{hub: h, bus: bus, streams: streams, options: o, log: o.Log, engine: gin.New(),
		counts: newPublishCounts(), limited: newLimitCounts(), intakes: newIntakes(limits.IntakeSize / 4), door: newDoor(limits), conns: newConns(limits)}
	s.engine.RedirectTrailingSlash = false // browsers would come back to the target for ever
	s.engine.HandleMethodNotAllowed = true
	s.engine.ContextWithFallback = true
	if err := s.engine.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	s.engine.Use(answerHeaders, s.guard)
	s.engine.NoRoute(func(c *gin.Context) { s.fail(c, errNoRoute) })
	s.engine.NoMethod(func(c *gin.Context) { s.fail(c, errNoMethod) })
	return s, s.routes()
}

func (s *Server) routes() error {
	open := s.engine.Group("/", s.readers())
	alive := func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) }
	for path, handler := range map[string]gin.HandlerFunc{
		"/events":                 s.events, // it knows what passes
		"/topics":                 s.reading(s.topics),
		"/topics/:topic":          s.reading(s.topic),
		"/topics/:topic/messages": s.reading(s.messages),
		"/healthz":                alive,
		"/readyz":                 s.ready,
		"/openapi.yaml":           serveOpenAPI,
	} {
		open.GET(path, handler)
		open.OPTIONS(path, noContent)
	}
	open.HEAD("/healthz", alive)
	open.HEAD("/readyz", s.ready)
	s.publishRoutes()
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	client, err := fs.ReadFile(files, "tickertape.js")
	if err != nil {
		return err
	}
	script := s.engine.Group("/tickertape.js", clientHeaders)
	script.GET("", serveClient(client))
	script.OPTIONS("", anyOrigin(), noContent)
	page := s.engine.Group("/", pageHeaders)
	page.StaticFileFS("/", "/", http.FS(files))
	page.StaticFS("/page", http.FS(files))
	return nil
}

// publishRoutes are for those who may publish.
func (s *Server) publishRoutes() {
	for path, route := range map[string]struct {
		body    func(http.Header) string
		handler gin.HandlerFunc
	}{
		"/publish":              {bodyOf, s.writing(s.publish)},
		"/topics/:topic/end":    {bodyOfEnd, s.managing("end", s.end)},
		"/topics/:topic/cancel": {bodyOfEnd, s.managing("cancel", s.cancel)},
	} {
		group := s.engine.Group(path, s.countRequests(route.body), s.named(http.MethodPost))
		group.POST("", route.handler)
		group.OPTIONS("", s.preflight)
	}
}

func noContent(c *gin.Context) { c.Status(http.StatusNoContent) }

// serveClient answers with the browser client, which pages of any origin may
// import.
func serveClient(script []byte) gin.HandlerFunc {
	sum := sha256.Sum256(script)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(c *gin.Context) {
		c.Header("Content-Type", "text/javascript; charset=utf-8")
		c.Header("ETag", tag)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(script))
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// reusable reports whether a connection can take another request behind this one.
// Where a body came in chunks there may have been a length as well, which net/http
// forgets, as it does the chunks of HTTP/1.0: then a program on the way may have
// taken for a body what would be the next request here (RFC 9112, section 6.1).
func reusable(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && len(r.TransferEncoding) == 0
}

// boundBody bounds the time that a body may take. Until somebody has read all
// of it, the connection is one to close: before an answer on any other,
// net/http reads what is left of the body, and waits for it. HTTP/2 knows no such
// wait, and would end with it whatever else the connection has.
func (s *Server) boundBody(c *gin.Context) {
	deadline := time.Now().Add(s.door.limits.BodyTime)
	if err := http.NewResponseController(c.Writer).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.log.Debug("no read deadline", slog.Any("error", err))
	}
	if c.Request.ProtoMajor == 1 {
		c.Header("Connection", "close")
	}
}

// Drain makes /readyz answer 503 from now on, so that balancers send new
// clients elsewhere. Everything else goes on as before.
func (s *Server) Drain() { s.draining.Store(true) }

// ready answers GET /readyz.
func (s *Server) ready(c *gin.Context) {
	if err := s.notReady(); err != nil {
		s.fail(c, fmt.Errorf("%w: %w", errNotReady, err))
		return
	}
	answer := readiness{Status: "ready"}
	if differ := s.options.RulesDiffer; differ != nil && differ() {
		answer.Warning = "another node has other rules (--config): which ones count is up to the node that takes a message"
	}
	c.JSON(http.StatusOK, answer)
}

// readiness is the answer of a node that takes clients.
type readiness struct {
	Status  string `json:"status"`
	Warning string `json:"warning,omitempty"`
}

// notReady returns why the node is not ready, or nil if it is.
func (s *Server) notReady() error {
	if s.draining.Load() {
		return errDraining
	}
	if err := s.bus.Ready(); err != nil {
		return err
	}
	if err := s.options.Authority.Ready(); err != nil {
		return err
	}
	select {
	case <-s.hub.Ready():
		return nil
	default:
		return hub.ErrNotReady
	}
}
