package redisbus

// room is where a lane puts the messages of its calls, one after the other.
type room struct{ kept []byte }

// maxRoom is the most that is kept for the next call.
const maxRoom = 256 << 10

// of returns room for so many bytes. What stood there before is of no use any more.
func (r *room) of(size int) []byte {
	if size > maxRoom {
		return make([]byte, 0, size)
	}
	if size > cap(r.kept) {
		r.kept = make([]byte, 0, min(2*size, maxRoom))
	}
	return r.kept
}
