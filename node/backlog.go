package node

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// waitsMost is how many bytes of records may wait to be durable before a node takes on nothing
// that adds much to them. It is what a disk writes in a tenth of a second at 40 MB/s, a slow
// one. A guess.
const waitsMost = 4 << 20

// waitsLong is how long a record may wait before that. A guess: some times the slowest sync of a
// disk that works.
const waitsLong = 2 * time.Second

// backlog is what waits to be durable.
type backlog struct {
	bytes  int       // of records
	since  time.Time // when the oldest of them began to wait
	keptUp time.Time // the last step in which the disk did
}

// DiskWaits is told how many bytes of records wait to be durable, and since when the oldest does; drivers tell
// it before each step. While they are many, or wait for long, the node refuses what clients say, and of a seed
// what is asked of it and the log's messages: clients can ask elsewhere, and the others of the log repeat
// themselves. It goes on to probe and to answer, which writes next to nothing, so a disk that stands still
// does not look like death.
func (n *Node) DiskWaits(bytes int, since time.Time) {
	n.backlog.bytes, n.backlog.since = bytes, since
}

// behind reports whether nothing is to be taken on that has to become durable.
func (b *backlog) behind(now time.Time) bool {
	return b.bytes > waitsMost || b.bytes > 0 && now.Sub(b.since) > waitsLong
}

// refuses reports whether a packet is not taken, as so much waits already and it would add to that: what others have
// written, and said, is asked for again later.
func (n *Node) refuses(p *core.Packet) bool {
	switch p.Body.(type) {
	case *core.Update, *core.Sync, *core.Part, *core.Rumors:
		if n.backlog.bytes > waitsMost {
			n.stats.Drops[hearsay.DropQueueFull]++
			return true
		}
	}
	return false
}

// DiskBehind is for how long the disk has been behind.
func (n *Node) DiskBehind() time.Duration { return n.stepped.Sub(n.backlog.keptUp) }

// writes reports whether a packet would have a seed write.
func writes(p *core.Packet) bool {
	switch p.Body.(type) {
	case *core.Register, *core.Report, *core.Depart, *core.Raft:
		return true
	}
	return false
}
