// Package standin has stand-ins of the earlier programs, for tests of networks in which they and our nodes are
// together. They are written from a description of what those programs say and do, and share no code with the module.
//
//	go run ./test/standin/cmd p1-seed --ip 127.0.0.1 --port 5001 --config config.txt
//
// A test starts them with [Start]; its TestMain is process.Main(m, standin.Inside).
//
//	p1-seed, p1-peer   newline-delimited JSON. --ip and --port are required
//	p0-seed, p0-peer   plain text. The port is asked on standard input; config.txt is in the working directory
//	p2-seed, p2-peer   the same, with other words in places
//	p4 ID PORT [HOST:PORT …]   HTTP and JSON: its node id, its port, the nodes to join. Flags come before these
//
// # Flags
//
//	--ip, --port    the address to listen at, and to ask from. Port 0 is any that is free
//	--config        p1: the seeds, one a line, ip,port or ip:port (config.txt)
//	--output        p1: the file for the log (outputfile.txt). p0 logs to outputseed.txt and outputpeer.txt, p2 to
//	                seedlog.txt and peerlog_PORT.txt
//	--speed N       all periods are N times shorter; time limits of requests stay
//	--faults        has the faults of the earlier program, too
//	--dir DIR       the working directory
//	--json          the ready line is JSON, {"addr":"ip:port","event":"ready"}, and the log goes to its file only
//	--state FILE    what it knows, as the JSON of [State]; the file is replaced at each change
//
// The ready line (ready ip:port) comes when it listens and has joined. One that cannot join ends with exit code 1.
//
// # What they are strict about, always
//
// Nothing is tried again. A peer picks its neighbors once, at its start, from the lists that seeds give it; later only
// a peer that asks for a link becomes one.
//
// p1: a connection is one request and one reply. All that has come when there is a newline must be one JSON object, so
// that a second line is an error. Type and payload must be there. A seed knows the types of seeds and ERROR, in replies
// too, and logs an error for what it cannot decode. A peer pings by connecting and closing.
//
// p0 and p2: one recv of up to 1,024 bytes is one message. SO_REUSEADDR is not set. A seed registers whatever has a
// colon, with what stands between the first and the second one for a port. A peer takes the last entry of a list for
// its own address. It asks for a link in one spelling: p2 for "New Connect Request", and it accepts that; p0 for "New
// Connection Request", and with faults it accepts "New Connect Request" only, so that no p0 accepts another.
//
// p4: a gossip request has just the keys of the protocol. It asks to join before it listens. A member that is dead is
// so until somebody syncs it. Writes have no order: what arrives last wins.
//
// # Faults
//
// Without --faults it does right what the protocol allows to do right:
//
//	p1-seed   with faults: believes a report, and a vote, about any peer of its list; obeys each COMMIT; does not readmit
//	          a removed peer that answers
//	          without: finds out itself whether the peer answers a request, and readmits each that does
//	p1-peer   with faults: rumors of one text are one; a neighbor that comes late gets no earlier rumor
//	          without: adds "origin" (ip:port) to GOSSIP_MSG to tell rumors apart, and gives late neighbors all so far
//	text seed with faults: registers twice what asks twice; never closes its side of a connection that has ended; does
//	          not know the short form of Dead Node; p0 puts a comma before and behind its list
//	text peer with faults: counts a link that was refused, accepts any number of links, tells a death only where it is
//	          registered, asks for liveness one after the other without a deadline, does not know the short form of a
//	          rumor, and gives late neighbors nothing
//	p4        with faults: sends the members of a join once, to the joiner only, which does not listen yet, and may ping
//	          it before it does, so that it is dead for ever; pings one after the other; takes a member for dead at the
//	          first ping that fails, without asking others
//	          without: tries until the joiner has the members, then tells all others, and tells the joiner all keys
//
// # Files
//
//	main.go     flags and kinds         start.go    how a test starts one, and looks into it
//	node.go     what all have           jsonline.go a request and a reply of p1
//	p1seed.go   p1's seed               p1peer.go   p1's peer
//	text.go     p0 and p2               p4.go       p4
package standin
