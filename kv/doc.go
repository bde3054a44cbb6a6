// Package kv is one replica of the key-value store: all keys, without IO. Node, disk and HTTP drive it.
//
// # Dots
//
// Each write of a value has a name of its own, its dot: the origin that made it, and a number (package clock). Of each
// dot a replica knows one of three things, and merging takes the greater:
//
//	unseen < live < gone
//
// The clock is the set of dots that are not unseen; the store is the live ones with their objects. So there is nothing
// to keep of a dot that is gone, and no part of any message, in any order, twice or never, does harm. A put makes one
// dot live and those that it replaces gone; a delete only makes dots gone. Concurrent puts leave several live dots of a
// key, its siblings; of these the one with the latest hybrid time, then of the greatest origin, is the winner. Of more
// than 256 the oldest go, everywhere the same ones.
//
// The roots are dotted version vectors (Almeida and others, "Scalable and Accurate Causality Tracking for Eventually
// Consistent Stores", 2014) and the anti-entropy of DottedDB (Gonçalves and others, 2017). That repair tells of ranges
// of dots, and so needs neither a tombstone nor a watermark, is ours; a plain set of dots is stepped beside the replica
// in the tests.
//
// # Who calls what
//
//	New       at the start, with what was on disk; its Change is to be made durable
//	Put       a write of a client, of one key or several: an Update to pass on
//	Get, Siblings, Context, List   what clients read
//	Update    another's Update has come
//	Hash      goes on pings; where it differs, Ask begins an exchange, and Sync answers each message of it
//	Gather    where a Sync announces what is too long for it: Part answers what Fetch asks, Gathered takes the whole
//	Lacks     what another has seen and this replica has not: to share it out among several neighbors (Sync.Of)
//	Expire    at NextExpiry: what is hidden since the drift of clocks
//	Forget, Renew   the life of origins, below
//
// What is given and taken is read only from then on: values are not copied.
//
// # What must be durable before what
//
// Every call that changes the replica gives a Change. It is one transaction: objects that became live, objects that
// are live no more, the whole entry of the clock of each origin that it names, and how far numbers are reserved. It
// is durable before the call's Update or Reply is sent, before a client hears that its write is done, and before
// watchers hear of it. Numbers are reserved ahead, in blocks: after a crash the ones that may have been read here,
// and were never durable, are not used again. Each process leaves out a drawn number of them besides (Config.Skip),
// as others may hold what was written under them: where the directory was set back or copied, another process has
// used it. They stay unseen for a day. Saved is what the transactions add up to.
//
// # What an Update is
//
// A record, as its writer made it: objects of consecutive numbers, and the dots that they replace. It is passed on
// along the tree as it came, and kept by nobody: the store is its retention. An Update that replaces a dot unseen
// here is not taken but held for some seconds, and Ask is set: an exchange with its sender brings that dot, if the
// Update that wrote it is not on its way. So Updates never leave a value beside one that it has replaced; and a
// forged list makes gone no write that comes later.
//
// An Update that is too long for a datagram is named by its dots, and a receiver that lacks them asks for these (Ask).
//
// A record of several keys is whole: where one of its dots is live, none is unseen. Repair keeps to that too: it cuts
// between records only. What it does not keep is the moment: while an exchange of several messages runs, a key may be
// at an older value that the record deleted, or that was replaced in it since.
//
// # Repair
//
// Replicas compare a hash of 16 bytes. If it differs, one sends its clock, and for each origin the sum of the hashes of
// its live dots. The answer gives ranges that the other lacks: about each dot in them it says whether it is live, with
// its object, or gone. With an object go the live dots of its key; so whatever the sender has seen of that key and does
// not hold live is gone, and a value that was overwritten is found without any search. Where both have seen the same
// and the sums differ, which is deletes, ranges are halved (by sixteen) until few dots are left, and these are named.
// Messages stand for themselves (core.Sync): an exchange that is cut goes on where it was, with anybody.
//
// A message takes a budget of bytes; a record that is larger goes alone. One that is longer than a part is announced
// (core.Parts) with a hash of each object, and its values are fetched part by part. It is taken as if it had come in
// the message, once all is there and is what the hashes say (Gather). The clock is sent whole. In a network of 64
// origins it is some 2 KiB; with more, the difference of two clocks would better be coded (a rateless IBLT over
// Holding entries, before the ranges): Replica.Digest and lacking are the two places that this takes.
//
// # What is believed
//
// Any member may write and delete any key, and so what it says of dots is believed, but for dots that are not written
// yet: a process that hears of numbers which are its own and which it never used, or of another object under one of
// them, does not take the message (Twin). It goes on under a new origin, and puts again what it wrote in
// the last minute (Renew), as that may be gone where such numbers were believed. Its caller bounds how often it
// renews, as a liar can make it. A node whose data directory was set back has numbers of its own, and gets from
// others what it has forgotten: nothing is lost, and nothing comes back. So have two processes that run at once under
// one origin; the first renews, and may put again what was deleted that moment. Where one dot was written twice, the
// object with the greater hash wins everywhere.
//
// Sums are additions: a member can make two objects of its own that sum up alike, and so hide one from others, not
// theirs.
//
// # Origins
//
// An origin is one life of one data directory: the first ten bytes of the NodeID, two that count the lives of which the
// directory knows, and four drawn (NewOrigin). It is over when its node is out (Config.Writes), or when a later one of
// the same node is known. The entry in the clock of one that is over and holds no live dot for 24 hours is forgotten
// (Forget): what was seen of it is remembered beside the clock, and so nothing comes back. A replica that was away for
// longer, and still holds some of that live, is told that it is gone; if it has seen more, or the node is in again and
// has not gone on under another origin, the entry comes back. Of origins a replica knows as many as Config allows, and
// refuses more. It refuses likewise what would cut up the clock into more than 4,096 ranges, but for 8 of each origin:
// a member that makes up gaps keeps nobody else from writing, and of a message with too many the rest is taken. An
// exchange of which nothing was taken ends.
//
// # Where to find what
//
//	replica.go   what is live and seen, and changes of it   index.go     objects in order, with sums
//	write.go     put, delete, several keys                  context.go   the dots that a client has read
//	read.go      get, siblings, list                        expire.go    objects with an end
//	newer.go     what came after a context                  ended.go     values whose time is over
//	update.go    records of others                          exchange.go  what each lacks
//	validate.go  what of a Sync is not taken                compare.go   what only one holds live
//	origin.go    lives of writers                           sum.go       hashes
//	parts.go     values that are longer than a message
package kv
