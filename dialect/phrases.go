package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The sentences of the older programs' logs, word for word, as formats: people and
// scripts search for them. Package guest says which event is which.
const (
	PhraseSeedBoot      = "Booting with %d seeds. Quorum=%d"
	PhraseSeedListening = "Listening for incoming connections."
	PhraseProposal      = "Registration proposal received for %s; starting seed consensus"
	PhraseRegistered    = "Registration idempotent success for %s" // it is in already
	PhrasePeers         = "Serving PEER_LIST_RESP with %d peers"
	PhraseReport        = "Dead report received for %s from %s; starting seed consensus" // the peer, the reporter
	PhrasePeerBoot      = "Starting peer with %d seeds configured. Quorum=%d"
	PhrasePeerListening = "Listening for incoming peer connections."
	PhraseSeedFailed    = "Seed %s registration failed: %s" // why it did not answer
	PhraseQuorum        = "Registration quorum achieved with %d seeds"
	PhraseConnected     = "Connected neighbor: %s"
	PhraseBootstrap     = "Bootstrap complete: seeds=%d, union_peers=%d, neighbors=%d" // it is in, and linked
	PhraseGenerated     = "Generated gossip: %s"
	PhraseFirstTime     = "First-time gossip received: %s | sender_ip=%s"
	PhraseSuspicion     = "Neighbor suspicion triggered for %s after %d ping failures"
	PhraseReported      = "Confirmed dead-node report sent for %s. seed_accepts=%d/%d" // of so many seeds
)

// truth is how they write a boolean.
func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// PhraseVote says how this seed voted.
func PhraseVote(m Matter, peer netip.AddrPort, vote bool) string {
	return fmt.Sprintf("Vote on %s proposal %s for %s: vote=%s", m.of("registration", "dead-node"), m.Proposal(peer), peer, truth(vote))
}

// PhraseConsensus says what the seeds decided.
func PhraseConsensus(m Matter, peer netip.AddrPort, committed bool, yesVotes, quorum int) string {
	decision := decisionAbort
	if committed {
		decision = decisionCommit
	}
	return fmt.Sprintf("%s consensus %s for %s. yes_votes=%d, quorum=%d", m.of("Registration", "Dead-node"), decision, peer, yesVotes, quorum)
}

// PhraseSeedAnswer says what a seed answered this peer's registration.
func PhraseSeedAnswer(seed netip.AddrPort, success bool) string {
	return fmt.Sprintf("Seed %s register response: success=%s", seed, truth(success))
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

// PhraseAgreed says what the peers think: of the votes so many for dead, so
// many are needed, and so many of them are of others.
func PhraseAgreed(peer netip.AddrPort, dead, votes, majority, external int, agreed bool) string {
	return fmt.Sprintf("Peer-level suspicion result for %s: dead_votes=%d/%d, majority=%d, external_dead_votes=%d, consensus=%s",
		peer, dead, votes, majority, external, truth(agreed))
}

// Text gives the text of a message as the older programs write it:
// <Unix seconds>:<IP>:<number of the message>.
func Text(at time.Time, origin netip.Addr, number int64) string {
	return fmt.Sprintf("%d:%s:%d", at.Unix(), origin, number)
}

// IsText reports whether a text has the form of Text.
func IsText(text string) bool { return OriginIn(text).IsValid() }

// OriginIn gives the address in a text of the form of Text; not valid: it has none.
func OriginIn(text string) netip.Addr {
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 || last <= first {
		return netip.Addr{}
	}
	const bits = 63 // so that it has no sign
	_, err := strconv.ParseUint(text[:first], 10, bits)
	_, wrong := strconv.ParseUint(text[last+1:], 10, bits)
	ip, ok := parseIP(text[first+1 : last])
	if err != nil || wrong != nil || !ok {
		return netip.Addr{}
	}
	return ip
}
