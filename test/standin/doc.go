// Package standin has stand-ins of the earlier programs, for tests of networks in which they and our nodes are
// together. They are written from a description of what those programs say and do, and share no code with the module.
//
//	go run ./test/standin/cmd p1-seed --ip 127.0.0.1 --port 5001 --config config.txt
//
// A test starts them with [Start]; its TestMain is process.Main(m, standin.Inside).
//
//	p1-seed, p1-peer   newline-delimited JSON. --ip and --port are required
//
// # Flags
//
//	--ip, --port    the address to listen at, and to ask from. Port 0 is any that is free
//	--config        p1: the seeds, one a line, ip,port or ip:port (config.txt)
//	--output        p1: the file for the log (outputfile.txt).
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
// # Faults
//
// Without --faults it does right what the protocol allows to do right:
//
//	p1-seed   with faults: believes a report, and a vote, about any peer of its list; obeys each COMMIT; does not readmit
//	          a removed peer that answers
//	          without: finds out itself whether the peer answers a request, and readmits each that does
//	p1-peer   with faults: rumors of one text are one; a neighbor that comes late gets no earlier rumor
//	          without: adds "origin" (ip:port) to GOSSIP_MSG to tell rumors apart, and gives late neighbors all so far
//
// # Files
//
//	main.go     flags and kinds         start.go    how a test starts one, and looks into it
//	node.go     what all have           jsonline.go a request and a reply of p1
//	p1seed.go   p1's seed               p1peer.go   p1's peer
package standin
