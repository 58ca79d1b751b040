package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// guard turns a panic into an answer, so that one request's fault is not
// every stream's.
func (s *Server) guard(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		s.caught(c.FullPath(), p)
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		s.fail(c, fmt.Errorf("panic: %v", p))
	}()
	if c.Request.ContentLength != 0 {
		s.boundBody(c)
	} else if !reusable(c.Request) {
		c.Header("Connection", "close")
	}
	c.Next()
}

// caught counts and logs a panic that somebody has caught on the way of a request.
func (s *Server) caught(path string, p any) {
	s.panics.Add(1)
	s.log.Error("panic", slog.String("path", path), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}

// Panics returns how many panics were caught, each of which ended one request or one
// stream. All are faults of the hub.
func (s *Server) Panics() uint64 { return s.panics.Load() }
