package quorum

import (
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// maxEntryBytes bounds an entry: some 60 ballots. A step of the leader signs it for each of
// the other seeds, at some 4 µs a KiB.
const maxEntryBytes = 16 << 10

// ofThisVersion reports whether an entry is one that this version may have written, by its first
// byte. An entry of a leader that has just been elected is empty.
func ofThisVersion(e *core.LogEntry) bool {
	return e.Type != uint8(raftpb.EntryNormal) || len(e.Data) == 0 || e.Data[0] == ledger.LogVersion
}
