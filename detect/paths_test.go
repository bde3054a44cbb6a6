package detect_test

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/detect"
	"hearsay/internal/core"
)

// A member that answers by stream only gets all by stream, until it answers a datagram; a node all of
// whose members do takes itself for deaf, and one lost datagram says nothing.
func TestStreamedMembers(t *testing.T) {
	news := func(to int) *core.Packet { return &core.Packet{Addr: addr(to), Body: &core.News{}} }
	deaf := func(w *world) bool { _, is := w.IsDeaf(); return is }
	w := newWorld(t, 4)
	w.cfg.StreamPing = true
	blocked := map[int]bool{2: true}
	w.direct = func(i int) bool { return !blocked[i] }
	w.run(12 * time.Second)
	if !w.Streams(news(2)) || w.Streams(news(1)) || deaf(w) || w.Streamed() != 1 {
		t.Errorf("streams to 2: %v, to 1: %v; deaf %v; %d streamed", w.Streams(news(2)), w.Streams(news(1)), deaf(w), w.Streamed())
	}
	if ack := (&core.Packet{Addr: addr(2), Body: &core.Ack{}, Answer: true}); w.Streams(ack) {
		t.Error("an answer to a datagram goes by stream")
	}
	blocked[1], blocked[3], blocked[4] = true, true, true
	w.run(8 * time.Second)
	if !deaf(w) || !w.Streams(news(1)) {
		t.Error("all answer by stream only, and this node does not take itself for deaf")
	}
	if ping := (&core.Packet{Addr: addr(77), Body: &core.Ping{Target: id(77)}}); w.Streams(ping) {
		t.Error("a deaf node dials a stream to an address that was only named")
	}
	clear(blocked)
	w.run(12 * time.Second)
	if deaf(w) || w.Streams(news(2)) || w.Streamed() != 0 {
		t.Errorf("deaf %v, %d streamed, and all answer", deaf(w), w.Streamed())
	}
	lost := 0
	w.direct = func(int) bool { lost++; return lost%9 != 0 }
	w.run(30 * time.Second)
	if deaf(w) || w.Streamed() != 0 {
		t.Errorf("deaf %v, %d streamed, where one datagram in nine is lost", deaf(w), w.Streamed())
	}
	if w.Deaf(addr(3)); !w.Streams(news(3)) {
		t.Error("a member that says that it is deaf is sent datagrams")
	}
}

// Guests have nothing but streams: that they answer by these says nothing of datagrams, nor that they answer at all.
func TestGuestsSayNothingOfDatagrams(t *testing.T) {
	guests := true
	w := newWorldOf(t, 4, func(cfg *detect.Config, d *detect.Directory) {
		cfg.StreamPing = true
		d.Guest = func(hearsay.NodeID) bool { return guests }
	})
	w.direct = func(int) bool { return false }
	w.run(20 * time.Second)
	if _, deaf := w.IsDeaf(); deaf || w.Streamed() != 0 {
		t.Errorf("deaf %v, %d streamed, where all members are guests", deaf, w.Streamed())
	}
	guests = false
	w.run(20 * time.Second)
	if _, deaf := w.IsDeaf(); !deaf {
		t.Fatal("all answer by stream only, and this node does not take itself for deaf")
	}
	guests = true
	w.direct = func(int) bool { return true }
	w.run(20 * time.Second)
	if _, deaf := w.IsDeaf(); !deaf {
		t.Error("datagrams get through, as guests answer")
	}
}
