package node_test

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/wire"
)

// messages are one of each kind, with one of each that it may have many of.
func messages() []core.Message {
	ranges := []core.SeenRange{{Range: clock.Range{Low: 1, High: 1}}}
	return []core.Message{
		&core.Ping{}, &core.Ack{}, &core.NotMe{}, &core.RelayReq{}, &core.Nack{}, &core.Join{}, &core.Roster{}, &core.News{},
		&core.Digest{Hashes: []uint64{1}}, &core.Entries{Buckets: []uint8{0}, Items: []core.Entry{{}}}, &core.Want{IDs: []hearsay.NodeID{{}}},
		&core.WitnessReq{}, &core.Statement{}, &core.EvidenceReq{}, &core.Evidence{Evidence: &hearsay.Evidence{Statements: []hearsay.Statement{{}}}},
		&core.Rumors{Items: []hearsay.Rumor{{Data: []byte("x")}}, Missed: ranges}, &core.IHave{IDs: []clock.Dot{{}}}, &core.Graft{IDs: []clock.Dot{{}}},
		&core.Place{}, &core.Heard{}, &core.Seen{Ranges: ranges}, &core.Hello{}, &core.HelloAck{}, &core.Unlink{}, &core.Deaf{}, &core.Away{},
		&core.Register{}, &core.Report{}, &core.Depart{}, &core.Outcome{},
		&core.SeatHello{}, &core.Raft{Entries: []core.LogEntry{{}}}, &core.LedgerReq{}, &core.Rulings{Items: []*hearsay.Ruling{{Kind: hearsay.RulingAdmit}}, Heads: []hearsay.Head{{}}},
		&core.RosterPart{Ruling: &hearsay.Ruling{Kind: hearsay.RulingAdmit}, Heads: []hearsay.Head{{}}, Parts: 1, Members: []core.RosterMember{{}}},
	}
}

// numbersOf gives each number that a message has, however deep.
func numbersOf(v reflect.Value) (numbers []reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return numbersOf(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				numbers = append(numbers, numbersOf(v.Field(i))...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			numbers = append(numbers, numbersOf(v.Index(i))...)
		}
	case reflect.Uint64, reflect.Int64:
		numbers = append(numbers, v)
	}
	return numbers
}

// idsOf gives each identity that a message has, an origin too.
func idsOf(v reflect.Value) (ids []reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return idsOf(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				ids = append(ids, idsOf(v.Field(i))...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			ids = append(ids, idsOf(v.Index(i))...)
		}
	case reflect.Array:
		if v.Type() == reflect.TypeFor[hearsay.NodeID]() || v.Type() == reflect.TypeFor[clock.Origin]() {
			ids = append(ids, v)
		}
	}
	return ids
}

// Numbers on the wire are any numbers. Whatever anybody sends, a node lives, and what it says next reaches another.
func TestNumbersAtTheirEdges(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(10 * time.Second)
	from := map[string]hearsay.NodeID{"a member": w.nodes[4].Self().ID, "a stranger": {1, 2, 3}}
	// the greatest first: another may hide what it does
	edges := []uint64{math.MaxUint64, math.MaxUint64 - 1, 1 << 63, math.MaxInt64, 1, 0}
	sent := 0
	for i, at := range []int{0, 3} { // a seed and a peer
		about := w.nodes[at].Self().ID
		for _, sender := range []string{"a member", "a stranger"} {
			for kind, m := range messages() {
				all := len(numbersOf(reflect.ValueOf(m)))
				for which := range all + 1 { // the last time all of them
					for _, edge := range edges {
						m := messages()[kind]
						for _, id := range idsOf(reflect.ValueOf(m)) {
							id.Set(reflect.ValueOf(about).Convert(id.Type()))
						}
						for at, number := range numbersOf(reflect.ValueOf(m)) {
							switch {
							case at != which && which < all:
							case number.CanInt():
								number.SetInt(int64(edge))
							default:
								number.SetUint(edge)
							}
						}
						if sends(t, w, at, from[sender], m) {
							sent++
						}
					}
				}
				w.run(100 * time.Millisecond) // what is taken from one sender at a time is bounded
			}
		}
		w.run(2 * time.Second)
		if _, fx, err := w.nodes[3].Say(w.now, hearsay.NodeID{}, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		} else {
			w.carry(3, fx)
		}
	}
	heard := 0
	w.hears = func(by int, e *hearsay.Event) {
		if by == 5 && e.Kind == hearsay.EventRumor && string(e.Rumor.Data) == "after all" {
			heard++
		}
	}
	if _, fx, err := w.nodes[3].Say(w.now, hearsay.NodeID{}, []byte("after all")); err != nil {
		t.Fatal(err)
	} else {
		w.carry(3, fx)
	}
	w.run(20 * time.Second)
	if heard == 0 {
		t.Error("what the peer says reaches another no more")
	}
	if sent < 1000 {
		t.Errorf("only %d packets were such as the wire brings", sent)
	}
}

// sends has a node receive a message by stream, as the wire brings it, if it does, and carries out what it causes.
func sends(t *testing.T, w *network, to int, from hearsay.NodeID, m core.Message) bool {
	t.Helper()
	var p core.Packet
	network := hearsay.NetworkIDOf("test")
	bytes := wire.AppendPacket(nil, network, &core.Packet{From: from, Body: m})
	if _, ok := wire.NewDecoder(network).Decode(bytes, &p); !ok {
		return false
	}
	p.Stream, p.Addr = true, netip.MustParseAddrPort("10.9.9.9:999")
	w.carry(to, receive(w.nodes[to], w.now, &p))
	return true
}

func receive(n *node.Node, now time.Time, p *core.Packet) *core.Effects {
	return n.Receive(now, p)
}
