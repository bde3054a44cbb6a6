// Package spread makes the replicas of the store equal: it passes on what is written, and has two replicas compare
// where they differ.
//
// # At once
//
// An update goes over the links of the tree that rumors go over, from each node to its next ones, and is kept by
// nobody: the store is its retention. What is longer than PushMost is only named, by a comparison: of a large value no
// link carries two copies.
//
// # What was lost
//
// A ping carries eight bytes of the replica's hash: each of them for a while after something changed, and one of
// several else. A node without a store, or with an empty one, has none to tell. One that is pinged by a replica with
// another hash, while nothing new comes, asks that replica (kv.Replica.Sync): each message is answered by one at most,
// with a budget of bytes, so an exchange never has more than one message under way and goes as fast as the slower of
// the two takes it. One that brought nothing has the next wait twice as long. A new neighbor is asked at once.
// Where much lacks it is shared out among three neighbors (shares.go).
// A node that waits for the answer of another, and lacks what one that asks has, says no more than that it is busy:
// what it lacks would come from both. It is left for the next neighbor.
// What is too long for a message is fetched in parts, of one node at a time, and from where it ended if that one dies.
// On long ways all waits are some round trips: what is under way would be asked for, and come twice. The sender of an
// update that replaces what is not here is asked once that had time to come, each sender in turn (ask.go).
// Where pings are rare, Config.CompareEvery has neighbors asked in turn for a while after a change.
//
//	A                        B
//	|--- Ping{Store} --------->|   another hash than B's
//	|<--- Sync{Clock} ---------|   by stream
//	|--- Sync{Clock, Live} --->|   and so on: see core.Sync
//	|<--- Sync{Clock, Parts} --|
//	|--- Fetch --------------->|   and so on: see core.Parts
//	|<------------------ Part -|
//
// # What is refused
//
// Where as many writers are known as may be, that is told (writers.go).
//
// # What goes where
//
// What relays the updates of others promises nothing durable, and goes to Now. An update of this node's own, and each
// Sync, go to Send: after the change is durable that they tell of.
package spread
