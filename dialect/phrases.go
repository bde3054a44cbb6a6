package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// This file is the sentences of the older programs' logs, word for word: people
// and scripts search for them. Package agent says which event is which.

// What a node says when it listens.
const (
	PhraseSeedListening = "Listening for incoming connections."
	PhrasePeerListening = "Listening for incoming peer connections."
)

// truth is how they write a boolean.
func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// decision is how they write what came of a vote.
func decision(committed bool) string {
	if committed {
		return decisionCommit
	}
	return decisionAbort
}

// PhraseSeedBoot is the first sentence of a seed.
func PhraseSeedBoot(seeds, quorum int) string {
	return fmt.Sprintf("Booting with %d seeds. Quorum=%d", seeds, quorum)
}

// PhraseProposal says that a seed had a request to let a peer in.
func PhraseProposal(peer netip.AddrPort) string {
	return fmt.Sprintf("Registration proposal received for %s; starting seed consensus", peer)
}

// PhraseRegistered says that a peer asked who is in already.
func PhraseRegistered(peer netip.AddrPort) string {
	return fmt.Sprintf("Registration idempotent success for %s", peer)
}

// PhraseVote says how this seed voted.
func PhraseVote(m Matter, peer netip.AddrPort, vote bool) string {
	return fmt.Sprintf("Vote on %s proposal %s for %s: vote=%s", m.of("registration", "dead-node"), m.Proposal(peer), peer, truth(vote))
}

// PhraseConsensus says what the seeds decided.
func PhraseConsensus(m Matter, peer netip.AddrPort, committed bool, yesVotes, quorum int) string {
	return fmt.Sprintf("%s consensus %s for %s. yes_votes=%d, quorum=%d", m.of("Registration", "Dead-node"), decision(committed), peer, yesVotes, quorum)
}

// PhrasePeers says that a seed gave its list.
func PhrasePeers(peers int) string {
	return fmt.Sprintf("Serving PEER_LIST_RESP with %d peers", peers)
}

// PhraseReport says that a seed had a report.
func PhraseReport(dead, reporter netip.AddrPort) string {
	return fmt.Sprintf("Dead report received for %s from %s; starting seed consensus", dead, reporter)
}

// PhrasePeerBoot is the first sentence of a peer.
func PhrasePeerBoot(seeds, quorum int) string {
	return fmt.Sprintf("Starting peer with %d seeds configured. Quorum=%d", seeds, quorum)
}

// PhraseSeedAnswer says what a seed answered this peer's registration.
func PhraseSeedAnswer(seed netip.AddrPort, success bool) string {
	return fmt.Sprintf("Seed %s register response: success=%s", seed, truth(success))
}

// PhraseSeedFailed says why a seed did not answer it.
func PhraseSeedFailed(seed netip.AddrPort, why string) string {
	return fmt.Sprintf("Seed %s registration failed: %s", seed, why)
}

// PhraseQuorum says that enough seeds let this peer in.
func PhraseQuorum(seeds int) string {
	return fmt.Sprintf("Registration quorum achieved with %d seeds", seeds)
}

// PhraseList says what one seed listed.
func PhraseList(peers int, seed netip.AddrPort) string {
	return fmt.Sprintf("Received %d peers from seed %s", peers, seed)
}

// PhraseUnion says how many peers the lists name together.
func PhraseUnion(peers int) string {
	return fmt.Sprintf("Union peer list size=%d", peers)
}

// PhrasePicked says how many neighbors were drawn.
func PhrasePicked(neighbors int) string {
	return fmt.Sprintf("Power-law neighbor selection picked %d neighbors", neighbors)
}

// PhraseHello says that a neighbor's wish for a link was granted.
func PhraseHello(peer netip.AddrPort) string {
	return fmt.Sprintf("HELLO accepted from %s; neighbor linked", peer)
}

// PhraseConnected says that this peer's wish for a link was granted.
func PhraseConnected(peer netip.AddrPort) string {
	return fmt.Sprintf("Connected neighbor: %s", peer)
}

// PhraseBootstrap says that this peer is in and linked.
func PhraseBootstrap(seeds, peers, neighbors int) string {
	return fmt.Sprintf("Bootstrap complete: seeds=%d, union_peers=%d, neighbors=%d", seeds, peers, neighbors)
}

// PhraseGenerated says that this peer said something.
func PhraseGenerated(text string) string { return "Generated gossip: " + text }

// PhraseFirstTime says that this peer heard something new.
func PhraseFirstTime(text string, sender netip.Addr) string {
	return fmt.Sprintf("First-time gossip received: %s | sender_ip=%s", text, sender)
}

// PhraseDuplicate says that this peer heard something again.
func PhraseDuplicate(text string, sender netip.AddrPort) string {
	const shown = 5 // bytes: 10 digits
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("Duplicate gossip ignored: hash=%s sender=%s", hex.EncodeToString(sum[:shown]), sender)
}

// PhraseProbe says what this peer told another about a third.
func PhraseProbe(suspect, requester netip.AddrPort, alive bool) string {
	return fmt.Sprintf("Suspicion probe received for %s from %s -> alive=%s", suspect, requester, truth(alive))
}

// PhraseSuspicion says that a neighbor does not answer.
func PhraseSuspicion(peer netip.AddrPort, misses int) string {
	return fmt.Sprintf("Neighbor suspicion triggered for %s after %d ping failures", peer, misses)
}

// PhraseAgreed says what the peers think: of the votes so many for dead, so
// many are needed, and so many of them are of others.
func PhraseAgreed(peer netip.AddrPort, dead, votes, majority, external int, agreed bool) string {
	return fmt.Sprintf("Peer-level suspicion result for %s: dead_votes=%d/%d, majority=%d, external_dead_votes=%d, consensus=%s",
		peer, dead, votes, majority, external, truth(agreed))
}

// PhraseReported says how many seeds took this peer's report.
func PhraseReported(peer netip.AddrPort, accepts, seeds int) string {
	return fmt.Sprintf("Confirmed dead-node report sent for %s. seed_accepts=%d/%d", peer, accepts, seeds)
}
