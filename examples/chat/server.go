package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"tickertape/internal/client"
	"tickertape/internal/event"
)

//go:embed page
var pageFiles embed.FS

// Limits of what a page may send, in bytes.
const (
	maxBody   = 64 << 10
	maxPrompt = 8 << 10
)

// server is the backend of the page: it starts answers and stops them. Whoever
// may ask is up to whoever stands in front of it.
type server struct {
	hub     *client.Client
	answers *answers
	lease   time.Duration
	log     *slog.Logger
	page    []byte
	policy  string // which scripts the page may run, and where it may connect
}

// newServer returns the handler of all requests. Browsers reach the hub at its
// public address.
func newServer(hub *client.Client, a *answers, publicHub string, lease time.Duration) (http.Handler, error) {
	u, err := url.Parse(publicHub)
	if err != nil {
		return nil, err
	}
	index, err := template.ParseFS(pageFiles, "page/index.html")
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := index.Execute(&page, strings.TrimRight(publicHub, "/")); err != nil {
		return nil, err
	}
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, err
	}
	origin := u.Scheme + "://" + u.Host
	s := &server{hub: hub, answers: a, lease: lease, log: a.log, page: page.Bytes(), policy: "default-src 'none'; style-src 'self'; img-src data:; script-src 'self' " +
		origin + "; connect-src 'self' " + origin + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.GET("/", s.index)
	engine.StaticFS("/page", http.FS(files))
	engine.POST("/ask", s.ask)
	engine.POST("/stop", s.stop)
	return engine, nil
}

func (s *server) index(c *gin.Context) {
	c.Header("Content-Security-Policy", s.policy)
	c.Header("Referrer-Policy", "no-referrer")
	c.Data(http.StatusOK, "text/html; charset=utf-8", s.page)
}

// ask starts an answer and returns its topic at once: {"topic"}.
func (s *server) ask(c *gin.Context) {
	var q struct {
		Prompt string `json:"prompt"`
	}
	if !read(c, &q) {
		return
	}
	prompt := strings.TrimSpace(q.Prompt)
	switch {
	case prompt == "":
		fail(c, http.StatusBadRequest, "the prompt is empty")
		return
	case len(prompt) > maxPrompt:
		fail(c, http.StatusRequestEntityTooLarge, "the prompt is over 8 KiB")
		return
	case !s.answers.reserve():
		c.Header("Retry-After", "5")
		fail(c, http.StatusTooManyRequests, "too many answers are being written; try again in a moment")
		return
	}
	id, err := uuid.NewRandom()
	if err != nil {
		s.answers.release()
		fail(c, http.StatusInternalServerError, "no topic could be named")
		return
	}
	// The question begins the topic, for whoever reloads; and it shows whether a
	// hub is there before anyone waits for an answer.
	topic := event.Topic(topicPrefix + id.String())
	question := event.Message{Topic: topic, Name: "question", Data: event.Data{Text: prompt}, Lease: s.lease}
	if _, err := s.hub.Publish(c.Request.Context(), question); err != nil {
		s.answers.release()
		s.log.Warn("no answer was begun", slog.Any("error", err))
		fail(c, http.StatusServiceUnavailable, "the hub cannot take an answer now; try again later")
		return
	}
	s.answers.start(topic, prompt)
	c.JSON(http.StatusOK, gin.H{"topic": topic})
}

// stop cancels an answer, whichever process writes it: {"status"} says how it
// ended.
func (s *server) stop(c *gin.Context) {
	var q struct {
		Topic string `json:"topic"`
	}
	if !read(c, &q) {
		return
	}
	id, ok := strings.CutPrefix(q.Topic, topicPrefix)
	if parsed, err := uuid.Parse(id); !ok || err != nil || parsed.String() != id {
		fail(c, http.StatusBadRequest, "this is no answer's topic")
		return
	}
	ended, err := s.hub.Cancel(c.Request.Context(), event.Topic(q.Topic))
	if err != nil {
		s.log.Warn("no answer was stopped", slog.Any("error", err))
		fail(c, http.StatusServiceUnavailable, "the hub cannot be told now; try again")
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": ended.Status})
}

const topicPrefix = "chat."

// read reads a body as JSON, or answers what is wrong with it. Only JSON that
// calls itself so: browsers ask before they send that from other sites.
func read(c *gin.Context, into any) bool {
	if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || media != "application/json" {
		fail(c, http.StatusUnsupportedMediaType, "the body must be application/json")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		fail(c, http.StatusRequestEntityTooLarge, "the body is over 64 KiB")
		return false
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		fail(c, http.StatusBadRequest, "the body is not the JSON that belongs here")
		return false
	}
	return true
}

func fail(c *gin.Context, status int, text string) {
	c.AbortWithStatusJSON(status, gin.H{"error": text})
}
