package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"tickertape/internal/auth"
	"tickertape/internal/event"
)

// Sizes of a page of topics or messages.
const (
	standardPage = 100
	maxPage      = 1000
	pageBytes    = 1 << 20 // of data, after which a page ends
)

// topicState is what GET /topics tells of a topic.
type topicState struct {
	Topic       event.Topic `json:"topic"`
	Kind        string      `json:"kind"`
	State       string      `json:"state"`
	Status      string      `json:"status,omitempty"` // how it ended
	Retained    int         `json:"retained"`
	FirstID     string      `json:"first_id,omitempty"`
	LastID      string      `json:"last_id"`
	Subscribers int         `json:"subscribers"` // on this node
}

type topicPage struct {
	Topics []topicState `json:"topics"`
	Next   event.Topic  `json:"next,omitempty"` // pass as after for the next page
}

func (s *Server) topicState(i event.TopicInfo) topicState {
	state := topicState{Topic: i.Topic, Kind: i.Kind.String(), State: "open", Status: string(i.Status), Retained: i.Retained,
		LastID: i.Last.String(), Subscribers: s.hub.Subscribers(i.Topic)}
	if i.Status != "" {
		state.State = "ended"
	}
	if i.Retained > 0 {
		state.FirstID = i.First.String()
	}
	return state
}

// topics answers GET /topics.
func (s *Server) topics(c *gin.Context, caller *auth.Caller) {
	query, limit, err := pageQuery(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := busContext(c)
	defer cancel()
	var match *event.Selector
	if text := query.Get("select"); text != "" {
		selector, err := event.ParseSelector(text)
		if err != nil {
			s.fail(c, err)
			return
		}
		match = &selector
	}
	if err := mayList(caller, match); err != nil {
		s.fail(c, err)
		return
	}
	infos, err := s.bus.Topics(ctx, match, event.Topic(query.Get("after")), limit+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	page := topicPage{Topics: []topicState{}}
	if len(infos) > limit {
		infos = infos[:limit]
		page.Next = infos[limit-1].Topic
	}
	for _, i := range infos {
		page.Topics = append(page.Topics, s.topicState(i))
	}
	c.JSON(http.StatusOK, page)
}

// mayList says why the caller may not see the topics of the selector, or all of
// them; nil: it may.
func mayList(caller *auth.Caller, match *event.Selector) error {
	if match != nil {
		return caller.CheckAll(auth.Subscribe, *match)
	}
	all, err := event.ParseSelector("**")
	if err != nil {
		return err
	}
	if err := caller.CheckAll(auth.Subscribe, all); err != nil {
		return hinted{err, "ask for those that you may see, like GET /topics?select=news.**"}
	}
	return nil
}

// topic answers GET /topics/{topic}.
func (s *Server) topic(c *gin.Context, caller *auth.Caller) {
	ctx, cancel := busContext(c)
	defer cancel()
	info, err := s.known(ctx, caller, c.Param("topic"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.topicState(info))
}

// known describes a topic by its name, if the caller may know it.
func (s *Server) known(ctx context.Context, caller *auth.Caller, name string) (event.TopicInfo, error) {
	t, err := event.ParseTopic(name)
	if err == nil {
		err = caller.Check(auth.Subscribe, t)
	}
	if err != nil {
		return event.TopicInfo{}, err
	}
	info, ok, err := s.bus.Topic(ctx, t)
	if err == nil && !ok {
		err = errNoTopic
	}
	return info, err
}

// history is what GET /topics/{topic}/messages answers.
type history struct {
	Topic    event.Topic      `json:"topic"`
	Messages []event.Envelope `json:"messages"`
	Gaps     []historyGap     `json:"gaps,omitempty"`
	Next     string           `json:"next"` // pass as since to go on
	More     bool             `json:"more"` // there is more already
}

type historyGap struct {
	Reason    event.Reason `json:"reason"`
	ResumedAt string       `json:"resumed_at"`
}

// messages answers GET /topics/{topic}/messages.
func (s *Server) messages(c *gin.Context, caller *auth.Caller) {
	query, limit, err := pageQuery(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx, cancel := busContext(c)
	defer cancel()
	info, err := s.known(ctx, caller, c.Param("topic"))
	if err != nil {
		s.fail(c, err)
		return
	}
	clock, err := s.bus.Clock(ctx)
	if err != nil {
		s.fail(c, err)
		return
	}
	r, lost, err := historyRange(query, limit, clock)
	if err != nil {
		s.fail(c, err)
		return
	}
	r.Topic = info.Topic
	page, err := s.bus.History(ctx, r)
	if err != nil {
		s.fail(c, err)
		return
	}
	if r.Last > 0 {
		page.Gaps = nil // it asks for what there is, however far that reaches
	}
	if lost != "" {
		page.Gaps = append([]event.Gap{{Position: r.After, Reason: lost}}, page.Gaps...)
	}
	c.JSON(http.StatusOK, historyOf(info.Topic, page, r.Upto, clock.Epoch))
}

func historyOf(t event.Topic, page event.Page, upto event.Position, epoch event.Epoch) history {
	at := func(p event.Position) string { return event.Cursor{Epoch: epoch, Position: p}.String() }
	h := history{Topic: t, Messages: []event.Envelope{}, Next: at(page.Upto), More: upto.After(page.Upto)}
	for _, e := range page.Events {
		h.Messages = append(h.Messages, e.Envelope())
	}
	for _, g := range page.Gaps {
		h.Gaps = append(h.Gaps, historyGap{Reason: g.Reason, ResumedAt: at(g.Position)})
	}
	return h
}

// historyRange reads since, which may also be a cursor, and last. A cursor
// that leads nowhere here goes on as a stream would, and lost says why.
func historyRange(query url.Values, limit int, clock event.Clock) (r event.Range, lost event.Reason, err error) {
	r = event.Range{Upto: clock.Position, Limit: limit, Bytes: pageBytes}
	if cursor, err := event.ParseCursor(query.Get("since")); err == nil && query.Get("last") == "" {
		r.After, lost = clock.Resolve(cursor)
		return r, lost, nil
	}
	start, err := startOf(query)
	switch {
	case err != nil:
	case start.Since > 0:
		r.After = event.Earliest(event.Before(clock.Position.Time().Add(-start.Since)), r.Upto)
	case start.Last > 0:
		r.Last = start.Last
		if query.Get("limit") == "" {
			r.Limit = min(start.Last, maxPage)
		}
	case !start.All:
		r.Last = limit
	}
	return r, lost, err
}

// pageQuery reads the query and its limit.
func pageQuery(c *gin.Context) (url.Values, int, error) {
	query, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, 0, err
	}
	text := query.Get("limit")
	if text == "" {
		return query, standardPage, nil
	}
	limit, err := number("limit", text, maxPage)
	return query, limit, err
}
