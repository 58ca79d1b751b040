package stream

import "sync"

// ends are streams that have ended on a loop, and with which something is still to
// be done: it takes locks and writes a line, so it is not done on the loop's time.
// While there are any, one goroutine does it, in their order.
type ends struct {
	mu      sync.Mutex
	queue   []ending
	working chan struct{} // closed when that goroutine ends; nil: there is none
}

// ending is a stream that has ended, and why.
type ending struct {
	of  *looped
	why error
}

// add has the stream's end told soon. It never waits for that.
func (e *ends) add(one ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, one)
	if e.working == nil {
		e.working = make(chan struct{})
		go e.work(e.working)
	}
}

// work tells until there is nothing to tell.
func (e *ends) work(done chan struct{}) {
	defer close(done)
	for queue := e.take(nil); len(queue) > 0; queue = e.take(queue) {
		for _, one := range queue {
			one.of.finish(one.why)
		}
	}
}

// take returns what has piled up, for which it leaves behind room that was used
// before. With nothing there, the worker has to end.
func (e *ends) take(room []ending) []ending {
	clear(room) // hold on to nothing
	e.mu.Lock()
	defer e.mu.Unlock()
	queue := e.queue
	if len(queue) == 0 {
		e.queue, e.working = nil, nil
		return nil
	}
	e.queue = room[:0]
	return queue
}

// wait returns when all is done with those that were added before.
func (e *ends) wait() {
	e.mu.Lock()
	working := e.working
	e.mu.Unlock()
	if working != nil {
		<-working
	}
}
