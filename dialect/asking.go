package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// This file is what a peer of ours asks of an earlier program's seeds and peers, and how their replies are read. What
// else a reply has is not looked at: they have no keys of ours.

// PeersMost is how many entries of a list of peers are taken. A guess: 30 times what an earlier program's network has.
const PeersMost = 4096

// AppendRegistration appends the line with which a peer asks a seed to be let in. It has facts of ours: a seed of
// Hearsay that gets it is no earlier program's.
func AppendRegistration(dst []byte, peer netip.AddrPort, facts []byte, now time.Time) []byte {
	return appendLine(dst, typeRegister, func(o *object) {
		ip, port := Registration.subject()
		o.endpoint(ip, port, peer)
		o.facts(facts)
	}, now)
}

// AppendPeerList appends the line with which a peer asks a seed for all peers.
func AppendPeerList(dst []byte, requester netip.AddrPort, now time.Time) []byte {
	return AppendProbe(dst, requester, now)
}

// AppendSuspect appends the line with which a peer asks another whether it reaches a third.
func AppendSuspect(dst []byte, r *Suspect, now time.Time) []byte {
	return appendLine(dst, typeSuspect, func(o *object) {
		ip, port := Death.subject()
		o.endpoint(ip, port, r.Peer)
		o.address("requester", r.Requester)
	}, now)
}

// AppendDeadReport appends the line with which a peer tells a seed that another is dead.
func AppendDeadReport(dst []byte, dead, reporter netip.AddrPort, now time.Time) []byte {
	return appendLine(dst, typeDeadReport, func(o *object) {
		ip, port := Death.subject()
		o.endpoint(ip, port, dead)
		o.text("self_ip", reporter.Addr().String())
		o.integer("timestamp", now.Unix())
		o.address("reporter", reporter)
	}, now)
}

// readReply takes apart a line that came back, and says why it is not of the type that is wanted.
func readReply(line []byte, want string) (*fields, error) {
	kind, payload, err := readLine(line, ReplyLineMax)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer is no line of JSON: %w", err)
	case kind == want:
		return payload, nil
	}
	why := payload.text("error", optional)
	if why == "" {
		why = payload.text("reason", optional)
	}
	if why == "" || payload.err != nil {
		return nil, fmt.Errorf("it answers %.40s, and not %s", kind, want)
	}
	return nil, fmt.Errorf("it answers %.40s, and not %s: %s", kind, want, why)
}

// ReadOutcome takes apart what came back for a Register or a DeadReport. It gives whether that was granted, and why
// not, as far as the seed says it.
func ReadOutcome(line []byte, m Matter) (success bool, why string, err error) {
	payload, err := readReply(line, m.of(typeRegisterCommit, typeDeadCommit))
	if err != nil {
		return false, "", err
	}
	success, why = payload.boolean("success"), payload.text("error", optional)
	if payload.err != nil {
		return false, "", fmt.Errorf("its answer makes no sense: %w", payload.err)
	}
	if _, voted := payload.values["yes_votes"]; !success && why == "" && voted {
		why = fmt.Sprintf("%d of its seeds are for it, and %d must be", payload.integer("yes_votes", optional, 0, 1<<31), payload.integer("quorum", optional, 0, 1<<31))
	}
	return success, why, nil
}

// ReadPeers takes apart what came back for a PeerList. Entries that are no addresses are left out, and counted, as are
// those beyond PeersMost.
func ReadPeers(line []byte) (peers []netip.AddrPort, bad int, err error) {
	payload, err := readReply(line, typePeers)
	if err != nil {
		return nil, 0, err
	}
	list := payload.texts("peers")
	if payload.err != nil {
		return nil, 0, fmt.Errorf("its list makes no sense: %w", payload.err)
	}
	for _, text := range list {
		addr, ok := parseAddress(text)
		if !ok || len(peers) == PeersMost {
			bad++
			continue
		}
		peers = append(peers, addr)
	}
	return peers, bad, nil
}

// ErrAbstains says that a peer does not know of another whether it lives.
var ErrAbstains = errors.New("it cannot say")

// ReadSuspectAck takes apart what came back for a Suspect. Another type than a SUSPECT_ACK is ErrAbstains.
func ReadSuspectAck(line []byte) (alive bool, err error) {
	payload, err := readReply(line, typeSuspectAck)
	if err == nil {
		alive, err = payload.boolean("alive"), payload.err
	}
	if err != nil {
		return false, ErrAbstains
	}
	return alive, nil
}

// ReadHelloAck takes apart what came back for a Hello.
func ReadHelloAck(line []byte) (accepted bool, err error) {
	payload, err := readReply(line, typeHelloAck)
	if err != nil {
		return false, err
	}
	return payload.boolean("accepted"), payload.err
}
