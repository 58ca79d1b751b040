package redisbus

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strconv"

	"tickertape/internal/event"
)

// DefaultPrefix is what the names of all keys begin with. The part in braces
// is the hash tag that keeps a partition's keys in one slot of a Cluster.
const DefaultPrefix = "tt:{0}:"

// keys names everything that the bus keeps in Redis.
type keys struct {
	prefix   string
	database int
}

func (k keys) clock() string  { return k.prefix + "clock" }  // hash: last position, epoch, run, where it began, forgotten position, when leases were looked at
func (k keys) epochs() string { return k.prefix + "epochs" } // hash: ended epoch, where it ended
func (k keys) topics() string { return k.prefix + "topics" } // zset: topic by the milliseconds of its last event
func (k keys) names() string  { return k.prefix + "names" }  // zset: topic by name, for listing

// due is a zset: topic by the milliseconds at which its lease runs out.
func (k keys) due() string { return k.prefix + "due" }

// log is a stream: the topic's events in packs, each with its last position as its
// id, the position before it, and how many events it has. The first of a log's
// events that are not gone may stand in the middle of a pack.
func (k keys) log(t event.Topic) string { return k.prefix + "log:" + string(t) }

// meta is a hash: the topic's last position, its log's bytes, events and first event, until when keys live,
// what was cut off or lost, its kind, where its life began, its lease, and how
// and where it ended.
func (k keys) meta(t event.Topic) string { return k.prefix + "meta:" + string(t) }

// now is a hash: each key of a table, the position of its entry in the log, and
// the bytes of that; 0 for a null.
func (k keys) now(t event.Topic) string { return k.prefix + "now:" + string(t) }

// nulls is a zset: the deleted keys of a table, each behind the eleven digits of
// its position's number, by the milliseconds of that.
func (k keys) nulls(t event.Topic) string { return k.prefix + "nulls:" + string(t) }

// once is a string: digest and place of a message with an idempotency key. A
// topic may have colons, but no slash: so no two topics share a key.
func (k keys) once(t event.Topic, key string) string {
	return k.prefix + "once:" + string(t) + "/" + key
}

// seq is a hash: the highest number of a producer's messages to the topic, and
// that one's place.
func (k keys) seq(t event.Topic, producer string) string {
	return k.prefix + "seq:" + string(t) + "/" + producer
}

// rate is a string: when the bucket of that name will be full, in microseconds. A
// name may be long, and anything.
func (k keys) rate(name string) string {
	sum := sha256.Sum256([]byte(name))
	return k.prefix + "rate:" + hex.EncodeToString(sum[:])
}

// lane is a hash: the last call of a node's publish lane, and its answer.
func (k keys) lane(name string) string { return k.prefix + "lane:" + name }

// wire is a channel. Redis has one set of those for all its databases.
func (k keys) wire() string {
	if k.database == 0 {
		return k.prefix + "wire"
	}
	return k.prefix + "wire:" + strconv.Itoa(k.database)
}

// store tells the cursors of a bus with this prefix from those of others. It
// is no property of the data: a Redis that comes back empty is the same store,
// and its clients are told that it lost their events.
func (k keys) store() uint16 {
	return uint16(crc32.ChecksumIEEE([]byte("redis " + k.prefix)))
}
