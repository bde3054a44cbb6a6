// Package dialect speaks other programs' protocols: their bytes to values and
// back. It has no sockets and no clock; package guest has them.
//
// # JSON lines
//
// One TCP connection carries one request line and one reply line; then the one that
// was asked closes it. A line is
//
//	{"type":T,"payload":{…},"ts":<float, Unix seconds>}\n
//
// and what is asked of which node stands in message.go, with what answers it.
//
// What cannot be served is answered as the older programs do, because theirs
// know no other reply: bad JSON, a missing field or an unknown type by a seed
// with REGISTER_COMMIT {success:false, error} (Refusal), by a peer with ERROR
// {reason} (Failure), and by both with ERROR a type that is known and served by
// others.
//
// ReadRequest takes a request apart, and AppendReply writes a reply. Both sets are
// closed. Whatever ReadRequest can answer by itself, it does: then there is a reply
// and no request.
//
// # Text
//
// Two earlier programs speak text without an end: what one receive has is a message. A connection of theirs is told
// apart by its first bytes (ReadOpening in opening.go), and what is said over it stands in text.go:
//
//	peer to seed    <ip>:<port>                                   the peers, a:1,b:2,… the asking one last
//	                Dead Node:<ip>:<port>:<time>:<reporter ip>    nothing; also without the port
//	peer to peer    New Connect Request From:<ip>:<port>          New Connect Accepted, or the connection is closed
//	                New Connection Request From:<ip>:<port>       New Connection Accepted, likewise
//	                <time>:<ip>:<port>:GOSSIP<number>             nothing
//	                <time>:<ip>:<number>                          nothing
//	to both         Liveness Request:<time>:<ip>                  Liveness Reply:<time>:<ip>:<own ip>
//
// A time is in seconds, as a decimal fraction; addresses are IPv4. ReadText takes apart what nodes are told. Messages
// that come in one segment are told apart where that can be done in one way only, and what is none of these is refused.
//
// A node that does not know what is at an address can ask there by Question, which does no harm to any of the earlier
// programs.
//
// # JSON over HTTP
//
// The nodes of p4 ask each other by POST, with an object of JSON in the body, and GET /api/status shows what one has.
// What they say is in p4.go, and which values of the store they read in p4value.go.
//
// # What is ours
//
// Nodes of Hearsay say nothing to each other in lines: that goes by packets (package wire). But one may ask, as it
// would an older program, where a node of Hearsay runs now. The older programs ignore keys of a payload that they do
// not know, and so an ERROR of ours has one,
//
//	"hearsay": <base64 of a packet (package wire)>
//
// which is Facts: this package need not know what the bytes say. So has a REGISTER_REQ that a node of Hearsay sends to
// an earlier program's seed (asking.go).
//
// Some replies say more in words, for people and for programs that want to know:
// "already" and "unknown" where a death reported is none that happens now,
// "reason" where a peer declines a link or does not vouch for somebody. A peer that
// cannot say whether another lives answers ERROR: to the older peers that is an abstention.
//
// # What is read generously
//
// Integers may come as strings of digits, null is absent, localhost is
// 127.0.0.1, a host and port may be one of the two spellings of IPv6, and
// fields without which a request can be answered may be absent. What is
// present and wrong is an error: a typo in a line written by hand should not
// look like success.
package dialect
