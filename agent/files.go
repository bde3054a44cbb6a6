package agent

import (
	"log/slog"

	"hearsay/guest"
)

// A process may have only so many files open, and each connection is one. A node takes
// fewer connections where it may have few: one that has none left takes no connection at
// all, be it a seat's or a check of its health, and cannot open a file of its disk.
const (
	// filesKept are for all that is not a connection of others: what this node asks and tells
	// guests, and listeners, the data directory and the runtime. The last is
	// a guess: a seed has some 20 open.
	filesKept = guest.ProbesMax + guest.LinksOpen + 64

	// filesWanted allow all streams, and as many connections of HTTP.
	filesWanted = filesKept + 2*streamsMax

	placesLeast = 16 // however few files there may be. A guess: a small network works so
)

// placesWithin gives how many streams there may be in a process that may have so many
// files open: half of what is not kept. The other half is for HTTP.
func placesWithin(files int) int {
	return max(placesLeast, min((files-filesKept)/2, streamsMax))
}

// warnOfFiles says at the start that there may be fewer connections than a node takes.
func warnOfFiles(logger *slog.Logger, files int) {
	if files < filesWanted {
		logger.Warn("This process may open few files (ulimit -n), so this node takes fewer connections",
			"limit", files, "wanted", filesWanted, "streams", placesWithin(files), "http", placesWithin(files))
	}
}

// HTTPConnsMax gives how many connections a program's HTTP server may have beside the
// streams of this agent, by how many files the process may have open (RLIMIT_NOFILE) at
// its start. Where one process has several agents, they do not know of each other.
func (a *Agent) HTTPConnsMax() int { return a.streams.most }
