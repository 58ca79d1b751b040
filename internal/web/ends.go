package web

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

// maxEndBody is the most bytes that say how a topic ends.
const maxEndBody = 1 << 10

// ending is the answer to an end or a cancel.
type ending struct {
	Topic     event.Topic  `json:"topic"`
	Status    event.Status `json:"status"`
	ID        string       `json:"id,omitempty"` // none if the topic had ended before
	Duplicate bool         `json:"duplicate,omitempty"`
}

// managing has an end or a cancel answered, and noted in the log, whatever becomes
// of it.
func (s *Server) managing(action string, do func(*gin.Context, *auth.Caller) (ending, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		caller, err := s.writer(c)
		if err != nil {
			s.fail(c, err)
			s.audit(c, action, caller, ending{}, err)
			return
		}
		answer, err := do(c, caller)
		if err != nil {
			s.failPublish(c, err)
		} else {
			c.JSON(http.StatusOK, answer)
		}
		s.audit(c, action, caller, answer, err)
	}
}

// end does what POST /topics/{topic}/end asks for. Who may publish there may end it as
// well: a message can do that too.
func (s *Server) end(c *gin.Context, caller *auth.Caller) (ending, error) {
	body, err := readEnd(c)
	if err != nil {
		return ending{}, err
	}
	status, err := event.DecodeEnd(body)
	if err != nil {
		return ending{}, err
	}
	topic := event.Topic(c.Param("topic"))
	if err := caller.Check(auth.Manage, topic); err != nil && caller.Check(auth.Publish, topic) != nil {
		return ending{}, err
	}
	return s.endTopic(c, caller, status)
}

// cancel does what POST /topics/{topic}/cancel asks for. A topic that has ended is what
// was asked for, however it ended.
func (s *Server) cancel(c *gin.Context, caller *auth.Caller) (ending, error) {
	body, err := readEnd(c)
	if err == nil && len(body) > 0 {
		err = invalid("body", "is not taken: a cancel says all by its address")
	}
	if err == nil {
		err = caller.Check(auth.Manage, event.Topic(c.Param("topic")))
	}
	if err != nil {
		return ending{}, err
	}
	answer, err := s.endTopic(c, caller, event.Cancelled)
	if ended, ok := errors.AsType[*event.EndedError](err); ok {
		return ending{Topic: ended.Topic, Status: ended.Status}, nil
	}
	return answer, err
}

// bodyOfEnd names the kind of body that an end or a cancel counts as.
func bodyOfEnd(http.Header) string { return BodyEnd }

// readEnd reads the body of an end or a cancel, and refuses what would mean
// something for a publish.
func readEnd(c *gin.Context) ([]byte, error) {
	if c.Request.URL.RawQuery != "" {
		return nil, invalid("query", "is not taken; the topic stands in the path, the status in the body")
	}
	if err := onlyOnce(nil, c.Request.Header); err != nil {
		return nil, err
	}
	kind, err := bodyKindOf(c.Request.Header)
	switch {
	case err != nil:
		return nil, err
	case kind != jsonBody && kind != rawBody:
		return nil, hinted{errMediaType, `use application/json, like {"status":"failed"}, or no body`}
	}
	return readBody(c, maxEndBody, errEndSize)
}

// endTopic publishes an end.
func (s *Server) endTopic(c *gin.Context, caller *auth.Caller, status event.Status) (ending, error) {
	m := event.Message{Topic: event.Topic(c.Param("topic")), End: status, EndOnly: true, IdempotencyKey: c.GetHeader("Idempotency-Key")}
	if err := m.Validate(); err != nil {
		return ending{}, err
	}
	ctx, cancel := busContext(c)
	defer cancel()
	receipts, err := s.buy(ctx, s.purseOf(c, caller), BodyEnd, []event.Message{m})
	if err != nil {
		if item, ok := errors.AsType[*event.ItemError](err); ok {
			err = item.Err
		}
		return ending{}, err
	}
	r := newReceipt(receipts[0])
	return ending{Topic: r.Topic, Status: status, ID: r.ID, Duplicate: r.Duplicate}, nil
}
