// Package wire turns packets and records into bytes and back.
//
// Senders call [AppendPacket] for a datagram and [AppendFrame] for a stream.
// Receivers keep one [Decoder] and ask it for every packet that comes in; it
// answers with a reason to drop the packet, never with an error. What it
// gives belongs to it until it is asked again, and costs no allocation.
//
// # A packet
//
//	 0         1         2                   10                        26
//	┌─────────┬─────────┬───────────────────┬──────────────────────────┬ ─ ─
//	│ version │ flags   │ network           │ from                     │
//	└─────────┴─────────┴───────────────────┴──────────────────────────┴ ─ ─
//	                                         a seal would cover what follows
//
//	 26      27
//	┌───────┬─────────┬────────────┬─────────┬────────────┬─────────┬ ─ ─
//	│ kind  │ length  │ body       │ length  │ claim      │ length  │ claims
//	└───────┴─────────┴────────────┴─────────┴────────────┴─────────┴ ─ to the end
//
// Bit 0 of flags says that the packet is sealed, which this version cannot
// open; the other bits are 0. Lengths, counts and most numbers are varints
// (u below): 7 bits a byte, lowest first, in the fewest bytes that hold them.
// Other numbers are big-endian. A field with a number behind it takes so many
// bytes.
//
// A body or a claim may be longer than this version knows: the rest is
// skipped. So later versions may add fields at the end of each, and a field
// that is there may never go.
//
// # Bodies
//
//	 1  Ping         seq 8 · hash 8 · the first 8 of target · rumors 8, if any · zeros, to make it long
//	 2  Ack          seq 8
//	 3  NotMe        seq 8
//	 4  RelayReq     seq 8 · target 16
//	 5  Nack         seq 8
//	 6  Join         target 16, if any
//	 7  Roster       more 1
//	 8  News
//	 9  Digest       bits 1 · 2^bits × hash 8
//	10  Entries      bits 1 · count u · buckets, 1 each · count u · items: id 16 · incarnation u
//	11  Want         count u · ids, 16 each
//	12  WitnessReq   subject 16 · incarnation u · round 8
//	13  Statement    subject 16 · incarnation u · round 8 · answer
//	14  EvidenceReq  hash 32
//	15  Evidence     subject 16 · incarnation u · round 8 · rule 1 · accuser 16 · suspected u ·
//	                 condemned u · observers 1 · needed 1 · count u · answers
//	16  Rumors       count u · runs of rumors · count u · runs of ranges
//	17  IHave        count u · runs of numbers · late 1 · count u (0 or the same) · hops, 1 each
//	18  Graft        count u · runs of numbers
//	19  Place        root 16 · hops 1 · flags 1 (bit 0 parent, bit 1 answer) · number 4 · heard 4
//	20  Heard        hash 8
//	21  Seen         answer 1 · count u · runs of ranges
//	22  Hello        degree 1
//	23  HelloAck     accepted 1 · degree 1
//	24  Unlink
//	25  Deaf
//	26  Away         id 16 · epoch 8 · incarnation u · signature 64
//	27  Update       count u · if any: origin 16 · first u · time 8 · and objects · count u · runs of numbers
//	28  Sync         asks 1 · count u · origins, 16 each · count u · holdings · count u · ranges · count u · live
//	                 ranges · count u · synced objects · count u · dots · count u · ranges, and sum 8 each · count u ·
//	                 synced objects without their values, and size u, hash 16 each
//	29  Fetch        origin 16 · sum 16 · offset u · count u · numbers u, each but the first beyond the one before it
//	30  Part         sum 16 · offset u · length u · bytes
//	31  Heartbeat    own 4 · count u · counters: key 4, the first of the member's id · counter 4
//
//	32  SeatHello    log version 1 · snapshot version 1 · slot 1 · key 32 · life 16 · config 32 · nonce 8 · flags 1 ·
//	                 seats · founding 32, length 4 · ruling, and term 8 · last term 8 · last index 8 · clock 8, if
//	                 flags say so · signature 64
//	33  Raft         log version 1 · snapshot version 1 · slot 1 · type 1 · flags 1 · to, from, term, log term, index,
//	                 commit, vote, hint, 8 each · length 4 · context · count 4 · entries · part of a snapshot, if
//	                 flags say so · signature 64
//	34  LedgerReq    after 8 · before 8
//	35  Rulings      count 4 · rulings · count 1 · heads
//	36  RosterPart   ruling · count 1 · heads · part 2 · parts 2 · count 4 · members: id 16 · epoch 8 · claim
//
//	40  Register
//	41  Report       id 16 · epoch 8 · flags 1 (bit 0 evidence, bit 1 signature) · as the body of Evidence ·
//	                 signature 64, if flags say so
//	42  Depart       id 16 · epoch 8 · signature 64
//	43  Outcome      kind 1 · id 16 · epoch 8 · code 1 · yes 1 · needed 1 · length 1 · text · reason 1, if any
//
// From 32 to 36 they are of the seeds, and in the canonical bytes that seeds
// sign and hash: numbers are big-endian and of a fixed size (package hearsay). A hello names the
// versions of its sender's log first, and can be read by other versions (package quorum): a ruling that
// this version cannot read is skipped.
// The decoder makes these and what is asked of seeds (from 40) anew each time,
// so they may be kept.
//
//	address          length of the IP 1 (4 or 16) · IP · port 2
//	answer           observer 16 · verdict 1 · at u · signature 64
//	run              origin 16 · count u · elements of this origin
//	rumor            number u · age u · hops 1 · of a guest: (0 · guest 16) · length u · data
//	range            low u · high beyond low u
//
// The statements of evidence are of one subject, incarnation and round by
// definition, so they are told once: evidence that mixes rounds cannot be
// written down. What belongs to origins is written in runs of one origin each;
// the count before the first run is of the elements in all runs. Ages of rumors
// are milliseconds.
//
// # A claim
//
//	┌──────┬──────────┬─────────────┬ ─ ─ ─ ─ ┬ ─ ─ ─ ─ ─ ─ ┬ ─ ─ ─ ─┬ ─ ─ ─
//	│ head │ subject  │ incarnation │ by      │ evidence    │ age     │ card
//	└──────┴──────────┴─────────────┴ ─ ─ ─ ─ ┴ ─ ─ ─ ─ ─ ─ ┴ ─ ─ ─ ─┴ ─ ─ ─
//	 1      16         u             16        32            u         unless bare
//	                                 suspect   dead          dead
//	                                 dead                    left
//
//	card             key 32 · signature 64 · address · length of the name 1 · name
//
//	head             bits 0-2: state · bits 3-4: role, 0 for a bare claim · bits 5-7: 0
//
// # A stream
//
// A stream is frames, one after the other. Their first byte is neither
// printable nor '{', so that the port can be shared with text and JSON:
//
//	┌──────┬────────────┬─────────────
//	│ 0x01 │ length 3   │ packet
//	└──────┴────────────┴─────────────
//
// # Records
//
//	bucket     key             value
//	self       "incarnation"   incarnation 8
//	           "numbers"       the last that is reserved 8
//	contacts   address         id 16
//	evidence   hash 32         as the body of Evidence
//	rumors     number 8        origin 16 · age u · hops 1 · of a guest: (0 · guest 16) · length u · data · said 8
//	seed       "life"          life 16 · config 32 · founding 32
//	           "state"         term 8 · vote 8 · commit 8
//	pins       slot 1          key 32 · life 16 · since 8 · address, or none
//	log        index 8         index 8 · term 8 · type 1 · length 4 · data
//	snapshots  index 8         index 8 · term 8 · who takes part · offset 4 · size 4 · length 4 · data
//	rulings    epoch 8         ruling · with evidence 1 · evidence
//	heads      slot 1          epoch 8 · hash 32 · slot 1 · signature 64
//	rivals     slot 1          the head of another ledger, and what proves it (core.Rival)
package wire
