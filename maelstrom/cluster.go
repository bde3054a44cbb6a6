package maelstrom

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/wire"
)

// This file owns what goes between nodes.

const (
	// maxNodes bounds the nodes of a cluster (guess: Maelstrom has a process for
	// each, and so never comes near).
	maxNodes = 4096

	// maxBatch bounds the bytes of packets in one message, so that a line stays
	// far under maxLine.
	maxBatch = 1 << 20

	// contactsMost is how many others a node is told to join through: enough for
	// some of them to be on its side of any partition.
	contactsMost = 16

	port = 7946 // of made-up addresses; any would do
)

// batch are the packets that wait for one node.
type batch struct {
	datagrams, streams [][]byte
	bytes              int
	due                time.Time // when they go
	next               time.Time // before which nothing goes: something has gone just before
}

// begin makes the node, as init asks.
func (s *Session) begin(now time.Time, r *request) *failure {
	if s.node != nil {
		return &failure{codeMalformed, "init: this node is " + s.name + " already"}
	}
	if len(r.NodeIDs) > maxNodes {
		return &failure{codeMalformed, fmt.Sprintf("init: %d node_ids: at most %d", len(r.NodeIDs), maxNodes)}
	}
	places := make(map[string]int, len(r.NodeIDs))
	for place, id := range r.NodeIDs {
		if err := hearsay.CheckName(id); err != nil {
			return &failure{codeMalformed, "init: node_ids: " + err.Error()}
		}
		if _, twice := places[id]; twice {
			return &failure{codeMalformed, fmt.Sprintf("init: node_ids: %q is there twice", id)}
		}
		places[id] = place
	}
	own, found := places[r.NodeID]
	if !found {
		return &failure{codeMalformed, fmt.Sprintf("init: node_id %q is none of node_ids", r.NodeID)}
	}
	s.name, s.nodes, s.places = r.NodeID, r.NodeIDs, places
	s.outbox = make([]batch, len(s.nodes))
	s.readyBy = now.Add(s.cfg.ReadyWithin)
	if len(s.nodes) > 1 {
		s.moved, s.joinAt = now, now.Add(s.cfg.JoinAfter)
	}
	s.node = node.New(node.Config{
		Network: s.network, Name: s.name, Addr: addrOf(own), Role: hearsay.RolePeer,
		Detect: s.cfg.Detect, Roster: s.cfg.Roster, Overlay: s.cfg.Overlay, Rumors: s.cfg.Rumors, Store: s.cfg.Store,
	}, s.signer, s.random, nil, now)
	s.carryOut(now, s.node.Tick(now))
	return nil
}

// join has the node join through those that follow it in the order of init, so
// that not all ask the same.
func (s *Session) join(now time.Time) {
	s.joinAt = time.Time{}
	var contacts []netip.AddrPort
	for i := 1; i < len(s.nodes) && i <= contactsMost; i++ {
		contacts = append(contacts, addrOf((s.places[s.name]+i)%len(s.nodes)))
	}
	s.carryOut(now, s.node.Contact(now, contacts))
}

// takePackets takes what another node has sent.
func (s *Session) takePackets(now time.Time, e *envelope) {
	place, found := s.places[e.Src]
	if !found {
		s.drops[hearsay.DropStranger]++
		return
	}
	var p packets
	if json.Unmarshal(e.Body, &p) != nil {
		s.drops[hearsay.DropMalformed]++
		return
	}
	for _, b := range p.Datagrams {
		if len(b) > core.MTU {
			s.drops[hearsay.DropOversized]++
			continue
		}
		s.receive(now, b, core.Packet{Addr: addrOf(place)})
	}
	for _, b := range p.Streams {
		s.receive(now, b, core.Packet{Addr: addrOf(place), Stream: true})
	}
}

// receive decodes a packet and hands it to the node.
func (s *Session) receive(now time.Time, b []byte, from core.Packet) {
	s.packet = from
	s.packet.Size = len(b)
	if reason, ok := s.decoder.Decode(b, &s.packet); !ok {
		s.drops[reason]++
		return
	}
	s.carryOut(now, s.node.Receive(now, &s.packet))
}

// carryOut does what a step of the node asks for. There is no disk: a process
// that ends is never the same again, so nothing has to be kept.
func (s *Session) carryOut(now time.Time, fx *core.Effects) {
	for i := range fx.Now {
		s.send(now, &fx.Now[i])
	}
	for i := range fx.Send {
		s.send(now, &fx.Send[i])
	}
	for i := range fx.Events {
		switch e := &fx.Events[i]; e.Kind {
		case hearsay.EventRumor:
			s.deliver(e.Rumor.Data)
		case hearsay.EventMemberJoined, hearsay.EventLinked, hearsay.EventUnlinked:
			s.moved = e.At
		}
	}
}

// readyAt is when init is to be answered, as things stand.
func (s *Session) readyAt() time.Time {
	settled := s.moved.Add(s.cfg.SettleFor)
	if s.node.Stats().Alive == len(s.nodes) && settled.Before(s.readyBy) {
		return settled
	}
	return s.readyBy
}

// deliver takes in what a rumor says.
func (s *Session) deliver(payload []byte) {
	value, ok := valueOf(payload)
	if !ok {
		s.drops[hearsay.DropMalformed]++
		return
	}
	s.broadcasts.add(value)
	if s.reads == "" {
		s.reads = subjectBroadcast
	}
}

// send puts a packet into the outbox.
func (s *Session) send(now time.Time, p *core.Packet) {
	place, found := s.placeOf(p.Addr)
	if !found {
		s.drops[hearsay.DropMisdirected]++ // somebody has told of an address that is nobody's
		return
	}
	b := wire.AppendPacket(nil, s.network, p)
	box := &s.outbox[place]
	if box.bytes > 0 && box.bytes+len(b) > maxBatch {
		s.flush(now, place)
	}
	due := box.next
	if isPatient(p.Body) {
		due = now.Add(s.cfg.Linger)
	}
	if box.bytes == 0 || due.Before(box.due) {
		box.due = due
	}
	box.bytes += len(b)
	if p.Stream || len(b) > core.MTU {
		box.streams = append(box.streams, b)
	} else {
		box.datagrams = append(box.datagrams, b)
	}
}

// flush sends what is in the outbox for one node, as one message.
func (s *Session) flush(now time.Time, place int) {
	box := &s.outbox[place]
	body, err := json.Marshal(packets{Type: typePackets, Datagrams: box.datagrams, Streams: box.streams})
	s.emit(s.name, s.nodes[place], body, err)
	*box = batch{next: now.Add(s.cfg.Gather)}
}

// addrOf is the address that a node has by its place in node_ids.
func addrOf(place int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(place >> 16), byte(place >> 8), byte(place)}), port)
}

// placeOf takes an address of addrOf.
func (s *Session) placeOf(addr netip.AddrPort) (place int, ok bool) {
	if !addr.Addr().Is4() {
		return 0, false
	}
	b := addr.Addr().As4()
	place = int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	return place, place < len(s.nodes) && addr == addrOf(place)
}

// isPatient reports whether a message may wait for company.
func isPatient(m core.Message) bool {
	switch m.(type) {
	case *core.News, *core.IHave, *core.Heard, *core.Seen, *core.Place:
		return true
	}
	return false
}
