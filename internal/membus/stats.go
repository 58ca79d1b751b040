package membus

// Stats is how a Bus stands.
type Stats struct {
	Topics   int
	Bytes    int // of all topics
	MaxBytes int // over which publishes are refused
}

// Stats returns how the bus stands.
func (b *Bus) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stats{Topics: len(b.topics), Bytes: b.bytes, MaxBytes: b.options.MaxBytes}
}
