package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
)

// What became of an end or a cancel, in the log.
const (
	done         = "done"
	repeated     = "duplicate" // it was done before, by this very request
	alreadyEnded = "already ended"
	refused      = "refused"
	failed       = "failed" // the store may have it, or not
)

// maxLoggedTopic is how much of a topic's name is logged: all, if it is one.
const maxLoggedTopic = 255

// audit notes in the log who asked for a topic's end, and what became of that. Nothing
// is noted of a client that asks more often than it may: it would fill the log. What
// the client chose stands in values alone, which slog quotes.
func (s *Server) audit(c *gin.Context, action string, caller *auth.Caller, answer ending, err error) {
	if statusOf(err) == http.StatusTooManyRequests {
		return
	}
	topic := c.Param("topic")
	attributes := []slog.Attr{slog.String("action", action), slog.String("topic", topic[:min(len(topic), maxLoggedTopic)]), slog.String("remote", s.door.client(c.Request).remote), slog.String("outcome", outcomeOfEnd(answer, err))}
	if name := s.nameOf(caller); name != "" {
		attributes = append(attributes, slog.String("caller", name))
	}
	if err != nil {
		attributes = append(attributes, slog.Int("code", statusOf(err)), slog.String("reason", err.Error()))
	} else {
		attributes = append(attributes, slog.String("status", string(answer.Status)))
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "topic managed", attributes...)
}

// nameOf returns who the caller is, or nothing if nobody is asked who it is. Of one
// whose credential is none, nothing is known.
func (s *Server) nameOf(caller *auth.Caller) string {
	switch {
	case s.options.Authority.IsOpen():
		return ""
	case caller == nil:
		return "unknown"
	}
	return caller.Name
}

func outcomeOfEnd(answer ending, err error) string {
	switch status := statusOf(err); {
	case err == nil && answer.Duplicate:
		return repeated
	case err == nil && answer.ID != "":
		return done
	case err == nil || status == http.StatusConflict:
		return alreadyEnded
	case status < http.StatusInternalServerError:
		return refused
	}
	return failed
}
