// Package agent runs one member of a Hearsay network: it is the library's
// front door, and the driver of the core with real sockets, clock and disk.
//
//	a, err := agent.Start(ctx, agent.Config{Name: "a", Join: []string{"10.0.0.1"}})
//	...
//	for _, m := range a.Members() { ... }
//	for e := range a.Events(ctx) { ... }
//	id, err := a.Broadcast(ctx, []byte("a message to everybody"))
//	err = a.Put(ctx, "key", []byte("a value that all peers hold"), nil)
//	err = a.Leave(ctx)
//
// Every method may be called from any goroutine, at any time, from within the
// iteration over events too. What they return are copies; what an event points
// to is shared and read only.
//
// # The shell around the core
//
//	        UDP socket ── datagrams ──┐                ┌── Now ────────────────► sockets
//	accepted, dialled ─── streams ── inbox ── loop ── node
//	    calls of users ───────────────┘                └── Persist, Send, Events ──► commit queue ──► disk, sockets, hub
//
// One goroutine, the loop, owns the node. It sleeps in a read of the UDP
// socket, whose deadline is the node's; an input that comes another way waits in
// the inbox, by source, and moves that deadline. Each turn serves all kinds of
// input, so that none waits for more than a turn of the others. Another goroutine
// carries out what must wait for the disk, in the order of the commit queue, and a
// third accepts streams. Nothing waits for a user: no code of users runs in the loop
// or under a lock.
package agent
