package defects

// Streams in: how package web takes a producer's lines.

const (
	ingestGo  = "internal/web/ingest.go"
	decoderGo = "internal/sse/decoder.go"
)

func ofStreamsIn() []Defect {
	return []Defect{
		{
			Name:  "stream-goes-on",
			About: "behind a part of a stream in that failed, the next one is still published",
			Edits: []Edit{{ingestGo, `			if err := s.publishChunk(c, part, g, t); err != nil {
				return err
			}
`, `			if err := s.publishChunk(c, part, g, t); err != nil {
				if more, closed := in.take(); closed == nil {
					_ = s.publishChunk(c, more, g, t)
				}
				return err
			}
`}},
			Cases: []string{"redis-aof"},
		},
		{
			Name:  "stream-numbered-anew",
			About: "each part of a stream in has the numbers of its first one",
			Edits: []Edit{{ingestGo, `	numbers.first += int64(t.Published + t.Duplicates)
`, ``}},
			Cases: []string{"sub-killed-once"},
		},
		{
			Name:  "half-taken",
			About: "an event that a broken stream in cuts off counts for a whole one",
			Edits: []Edit{{decoderGo, `		line, err := d.readLine()
		if err != nil {
			return Event{}, err
		}
`, `		line, err := d.readLine()
		if half, ok := bytes.CutPrefix(d.line, []byte("data: ")); err != nil && ok {
			return Event{ID: id, Name: "message", Data: string(half)}, nil
		}
		if err != nil {
			return Event{}, err
		}
`}},
			Cases: []string{"producers-cut"},
		},
	}
}
