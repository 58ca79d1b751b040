package redisbus

import "sync/atomic"

// Stats is what a Bus has counted since Open, and how it stands.
type Stats struct {
	LaneReconnects uint64 // connections to write by, but for the first one
	WireReconnects uint64 // the same of subscriptions, for each feed
	BeatsAccepted  uint64 // that the store took
	BeatsFailed    uint64
	Heard          uint64 // announcements that came in on the wire: of events, losses and beats of all nodes
	Reports        uint64 // topics of which a loss was reported to the store
	Discords       uint64 // times that a node turned up that has other rules
	Waiting        int    // publishes that wait for the lane
}

// counts are the bus' counters.
type counts struct {
	laneReconnects, wireReconnects atomic.Uint64
	beatsAccepted, beatsFailed     atomic.Uint64
	heard, reports, discords       atomic.Uint64
}

// Stats returns the bus' counters.
func (b *Bus) Stats() Stats {
	c := &b.counts
	return Stats{LaneReconnects: c.laneReconnects.Load(), WireReconnects: c.wireReconnects.Load(),
		BeatsAccepted: c.beatsAccepted.Load(), BeatsFailed: c.beatsFailed.Load(),
		Heard: c.heard.Load(), Reports: c.reports.Load(), Discords: c.discords.Load(), Waiting: b.lane.queue.publishes()}
}
