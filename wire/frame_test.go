package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"hearsay"
	"hearsay/internal/core"
)

// Frames come one after the other, however the bytes are dealt out.
func TestFrames(t *testing.T) {
	var stream []byte
	for _, s := range samples() {
		stream = AppendFrame(stream, testNetwork, &core.Packet{From: idA, Body: s.body, Claims: s.claims})
	}
	large := &core.Packet{From: idA, Body: &core.Roster{}, Claims: fullClaims(core.MaxClaims)}
	stream = AppendFrame(stream, testNetwork, large)
	for _, r := range []io.Reader{
		bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream)), iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		checkStream(t, r, stream)
	}
	buf := make([]byte, 0, core.MTU)
	r := bytes.NewReader(stream)
	if n := testing.AllocsPerRun(10, func() { r.Reset(stream); _, _ = ReadFrame(r, buf) }); n > 0 {
		t.Errorf("%v allocations in a buffer that is large enough", n)
	}
}

func TestFrameRefused(t *testing.T) {
	join := AppendFrame(nil, testNetwork, &core.Packet{From: idA, Body: &core.Join{}})
	for name, tt := range map[string]struct {
		stream []byte
		want   hearsay.Drop
	}{
		"JSON":           {[]byte(`{"type":"REGISTER_REQ"}`), hearsay.DropMalformed},
		"torn header":    {join[:3], hearsay.DropTruncated},
		"torn packet":    {join[:len(join)-1], hearsay.DropTruncated},
		"nothing behind": {join[:4], hearsay.DropTruncated},
		"too long":       {[]byte{FrameStart, 4, 0, 1}, hearsay.DropOversized},
	} {
		_, err := ReadFrame(bytes.NewReader(tt.stream), nil)
		var broken *FrameError
		if !errors.As(err, &broken) || broken.Drop != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// The end between two frames is no fault, and a reader's fault is its own.
func TestFrameEnds(t *testing.T) {
	if _, err := ReadFrame(bytes.NewReader(nil), nil); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	slow := errors.New("deadline")
	if _, err := ReadFrame(iotest.ErrReader(slow), nil); err != slow {
		t.Errorf("got %v, want %v", err, slow)
	}
}

// A stream that announces much and sends little gets little room.
func TestFrameRoomGrowsWithWhatCame(t *testing.T) {
	for _, sent := range []int{0, readChunk, 3 * readChunk} {
		r := &meter{Reader: io.MultiReader(bytes.NewReader([]byte{FrameStart, 4, 0, 0}), bytes.NewReader(make([]byte, sent)))}
		if _, err := ReadFrame(r, nil); err == nil {
			t.Fatal("a frame out of nothing")
		}
		if r.room > 2*max(readChunk, sent) {
			t.Errorf("room for %d bytes more after %d", r.room, sent)
		}
	}
}

// meter notes the most bytes it was asked for at once.
type meter struct {
	io.Reader
	room int
}

func (m *meter) Read(b []byte) (int, error) {
	m.room = max(m.room, len(b))
	return m.Reader.Read(b)
}
