// Package sim is the simulated driver: it runs the very nodes that ship, over
// a network, clocks and disks that it makes up, and checks what must always
// hold.
//
// A World is a set of machines and one queue of moments, ordered by time and
// then by the order in which they were scheduled. It jumps from moment to
// moment; nothing runs beside it, and no map decides an order. Everything
// that is left to chance is drawn from one seed, in one stream for each
// purpose (and each machine), so that one more fault does not change the other
// draws. Hence the same Config gives the same run, to the byte.
//
//	machine                        World                           machine
//	node.Tick ── Effects ──▶ Now at once
//	                         Persist: written, synced later
//	                         Send, Events when synced
//	                         each packet: wire ─▶ lost? late? ─▶ wire ──▶ node.Receive
//	                         checker: sees every effect, and the truth
//
// What the nodes cannot know the world does: which of them run, which can reach which other, what
// was said and which have heard it. The checker holds every step against that, and
// when faults have stopped all must come to the same: one roster, one graph of
// links in one piece, and all rumors that are still to be had on every node.
//
// Each run of a campaign is drawn from a seed, and a Campaign is what many of them
// came to. Each rule of the checker has planted bugs, see Plants, which a campaign
// must find; what makes a machine misbehave stands between its node and the
// world, and the core knows nothing of it.
//
// Run is `hearsay sim run`. Tests drive a World themselves.
package sim
