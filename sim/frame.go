package sim

import (
	"bytes"

	"hearsay/wire"
)

// frameReader takes packets out of frames, as a stream's reader does.
type frameReader struct {
	reader bytes.Reader
	buffer []byte
}

// unframe gives the packet in a frame, until the next call.
func (n *network) unframe(frame []byte) []byte {
	r := &n.frames
	r.reader.Reset(frame)
	packet, err := wire.ReadFrame(&r.reader, r.buffer)
	if err != nil {
		return nil // the decoder drops it as truncated, and the checker sees that
	}
	r.buffer = packet
	return packet
}
