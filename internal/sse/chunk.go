package sse

import "strconv"

// Over HTTP/1.1 the bytes of a stream travel in chunks
// (https://www.rfc-editor.org/rfc/rfc9112#section-7.1). Where a block is a
// chunk of its own, with that around it, whoever writes it to a socket has
// nothing to add: the same bytes go to everyone.

// ChunkEnd stands behind the bytes of a chunk.
const ChunkEnd = "\r\n"

// LastChunk ends a stream in order.
const LastChunk = "0" + ChunkEnd + ChunkEnd

// AppendChunkHead appends what stands before so many bytes of a chunk, which
// must not be none: that would end the stream.
func AppendChunkHead(dst []byte, size int) []byte {
	return append(strconv.AppendInt(dst, int64(size), 16), ChunkEnd...)
}

// AppendChunk appends the block as a chunk.
func AppendChunk(dst, block []byte) []byte {
	return append(append(AppendChunkHead(dst, len(block)), block...), ChunkEnd...)
}
