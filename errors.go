package hearsay

import "errors"

// ErrAmbiguous is wrapped by errors about a name that several members bear.
var ErrAmbiguous = errors.New("several members bear this name")

// ErrNotMember is wrapped by errors about a name that no member bears.
var ErrNotMember = errors.New("no member bears this name")

// ErrSeedMute is wrapped by errors about saying something at a seed.
var ErrSeedMute = errors.New("this is a seed, and seeds carry no rumors; ask a peer")

// ErrSeedStore is wrapped by errors about the store at a seed.
var ErrSeedStore = errors.New("this is a seed, and seeds hold no store; ask a peer")

// ErrDiskBehind is wrapped by errors about what a node does not take on while too much of what
// it took before waits to be durable.
var ErrDiskBehind = errors.New("the disk does not keep up with what is to be durable; try again once it does")

// ErrDiskFull is wrapped by errors about what must be durable at a node whose disk is full.
var ErrDiskFull = errors.New("the disk of this node's data directory is full; make room there, and try again: the node goes on by itself")

// ErrLeaveUnruled is wrapped by errors about a leave that the seeds have not ruled in time.
var ErrLeaveUnruled = errors.New("no quorum of the seeds has said in time that this node is out: it is in until the others find it gone and they remove it")

// ErrAwayUnheard is wrapped by errors about a node that says that it is away, where none of the others has
// answered in time.
var ErrAwayUnheard = errors.New("none of the others has answered that it knows that this node is back soon: those that do not know find it gone after about a second, as after a crash")

// ErrGoesAway is wrapped by errors about a leave of a node that was told before to end and to be started again.
var ErrGoesAway = errors.New("this node was told before to end and to be started again, and so it stays in: start it again and have it leave then; one that is not started again is found gone and removed")

// ErrLeaves is wrapped by errors about a node that is to be started again and was told before to leave.
var ErrLeaves = errors.New("this node was told before to leave, and does that: wait for its leave; one that is started again asks to be let in as a newcomer")

// ErrUndecidable is wrapped by errors about what is asked of the seeds and will
// never be decided.
var ErrUndecidable = errors.New("nobody decides that")

// ErrOut is wrapped by errors about the removal of a node that is out.
var ErrOut = errors.New("it is out already")
