// Package loop writes to thousands of sockets from one goroutine, at little
// more than what the kernel takes for it: no goroutine and no buffer for each
// connection, no allocation for each write. It knows sockets and epoll, but not
// what is written to them. It works on Linux; elsewhere it is empty.
//
// # Who owns what
//
// A Loop owns its connections: their descriptors, when they are looked after,
// and what the kernel did not take of the last write. It has two goroutines:
//
//	the writer   does all that is done to a connection: it asks the
//	             connection's Source what is to be written, writes it, and
//	             closes the connection in the end
//	the poller   sleeps in the runtime's own poller until the epoll has
//	             something to tell, which is rare, and hands that over
//
// Others reach a connection in one way: Wake puts it on the ready list, under a
// lock that nobody holds for longer than it takes to append to a list or to
// swap it. So whoever has something to say never waits for a socket. The writer
// is signalled only if it sleeps.
//
// # The life of a connection
//
// Duplicate makes a descriptor of its own of a net.Conn, which has no more to say;
// Add gives it to a loop, whose writer has the epoll watch it and calls the
// source's Next. What that brings leaves in one system call, straight from
// where it lies. Then, until somebody wakes the connection or its time has come,
// all that is left of it is a Conn.
//
// If the kernel has no room, the writer keeps what is left of that one turn, and
// goes on with it when the epoll tells of room. Meanwhile wakes do nothing: the
// source is asked again behind that, and holds no queue. A client that takes no
// byte for Options.Stall is cut. Times are kept by a wheel of coarse ticks,
// which a connection that is written to does not touch: an entry that comes up
// too early finds its Source saying when to come back.
//
// A connection ends when its source says so, on an error of the socket, or when
// the client does anything: a source has asked it nothing, so bytes, the end of
// its side or a reset all mean that nobody listens any more.
//
// The connections of a slice get their turns together: all sources are asked,
// then all is sent, then the sources are told. Behind each slice the writer yields,
// so that those who publish get their turn also where there is only one processor.
//
// # Why a second epoll is safe
//
// The runtime has an epoll of its own, and takes descriptors that it does not
// know for none of its business. Still, a number that is closed is given out
// again at once. So:
//
//   - A descriptor has one owner, and the loop's is its own. That of the net.Conn
//     it came from is closed by who has that, without a word, which takes it out
//     of the runtime's epoll.
//   - The writer alone writes to it and closes it, so it never writes to a
//     number that is somebody else's by then.
//   - What the epoll tells names a connection by its place in a table and by
//     whose turn there it is, never by the descriptor. Word of a connection that
//     has ended meanwhile finds nobody.
//   - It is watched by edges (EPOLLET): what has been told is not told again. The
//     watch for room begins when there is none, and asks for it at once, so that
//     room which came in between is told.
//   - The epoll's own descriptor is one that the runtime's poller can wait for, so
//     that no thread blocks in it.
//
// # The race of wakes
//
// A connection is idle, or somebody has put it on the ready list: the flag idle
// says which, and who turns it off is the one who appends. The writer turns it
// on again before it asks the source, not after. The other way round, a wake
// would be lost:
//
//	writer                          publisher
//	Next: nothing new
//	                                appends an event
//	                                Wake: not idle, so nothing to be done
//	idle again; sleeps
//
// The way it is, a wake that comes too early costs one Next that brings nothing.
package loop
