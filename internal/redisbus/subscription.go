package redisbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// subscription is one subscription of the wire, on one connection. go-redis
// would make a new one by itself when that breaks, and nobody would know what
// was missed in between; so a break ends it.
type subscription struct {
	run   string // of the server at the other end
	place place
	texts chan string // what is announced; closed when the subscription has ended
	err   error       // why; to be read when texts is closed

	client *redis.Client
	pubsub *redis.PubSub
	done   chan struct{} // closed by close
	ending sync.Once
	ended  sync.WaitGroup
}

var errAnew = errors.New("the subscription was made anew")

// held is how many announcements may wait for the feed. If there are more,
// they wait in Redis, which cuts off a subscriber that is too slow.
const held = 64

// subscribe makes a subscription and returns when it is confirmed: what is
// announced from then on, it brings.
func (b *Bus) subscribe(ctx context.Context) (*subscription, error) {
	s := &subscription{texts: make(chan string, held), done: make(chan struct{})}
	o := *b.target.options
	o.PoolSize = oneConnection
	// go-redis connects by itself once more before it tells of a break, under
	// a lock that Close waits for.
	made, dial := false, b.primary.dialTo(&s.place)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if made {
			return nil, errAnew
		}
		return dial(ctx, network, addr)
	}
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		at, err := hello(ctx, conn)
		if err == nil {
			s.run, made = at.run, true
		}
		return err
	}
	s.client = redis.NewClient(&o)
	s.pubsub = s.client.Subscribe(ctx, b.keys.wire())
	// Whoever waits for bytes that never come is freed by closing.
	stop := context.AfterFunc(ctx, s.shut)
	defer stop()
	confirm, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	got, err := s.pubsub.Receive(confirm)
	if err == nil {
		if _, ok := got.(*redis.Subscription); !ok {
			err = fmt.Errorf("%T came before the subscription was confirmed", got)
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.ended.Go(s.receive)
	return s, nil
}

// receive passes on what is announced until the subscription breaks.
func (s *subscription) receive() {
	defer close(s.texts)
	for {
		got, err := s.pubsub.Receive(context.Background())
		if err != nil {
			s.err = err
			return
		}
		message, ok := got.(*redis.Message)
		if !ok {
			s.err = fmt.Errorf("%w: %T came", errAnew, got)
			return
		}
		select {
		case s.texts <- message.Payload:
		case <-s.done:
			s.err = errClosed
			return
		}
	}
}

// shut frees whoever waits in the subscription.
func (s *subscription) shut() {
	s.ending.Do(func() {
		close(s.done)
		_ = s.pubsub.Close()
		_ = s.client.Close()
	})
}

// close ends the subscription and waits until it has ended.
func (s *subscription) close() {
	s.shut()
	s.ended.Wait()
}
