package wire

import (
	"errors"
	"io"
	"slices"

	"hearsay"
	"hearsay/internal/core"
)

// FrameStart is the first byte of a frame, and so of every stream of ours.
const FrameStart = 0x01

const (
	frameHeaderLen = 4
	frameLengthMax = 1<<24 - 1 // what the header can say

	// readChunk is how much room, in bytes, a frame gets before any of its
	// packet has come; the room doubles as it fills.
	readChunk = 4 << 10
)

// AppendFrame appends p as a frame for a stream.
func AppendFrame(dst []byte, network hearsay.NetworkID, p *core.Packet) []byte {
	at := len(dst)
	dst = append(dst, FrameStart, 0, 0, 0)
	dst = AppendPacket(dst, network, p)
	n := min(len(dst)-at-frameHeaderLen, frameLengthMax)
	dst[at+1], dst[at+2], dst[at+3] = byte(n>>16), byte(n>>8), byte(n)
	return dst
}

// A FrameError is the reason for which a stream was given up: what follows in
// it cannot be understood.
type FrameError struct{ Drop hearsay.Drop }

func (e *FrameError) Error() string { return "frame: " + e.Drop.String() }

// ReadFrame reads the next frame of a stream and gives its packet, in buf's
// storage if that is large enough; otherwise it grows with what has come in,
// never with what was only announced. The error is io.EOF where the stream
// ends between two frames, a *FrameError where it breaks the format, and what
// r said where r failed.
func ReadFrame(r io.Reader, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], frameHeaderLen)[:frameHeaderLen]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, torn(err)
	}
	n := int(buf[1])<<16 | int(buf[2])<<8 | int(buf[3])
	switch {
	case buf[0] != FrameStart:
		return nil, &FrameError{hearsay.DropMalformed}
	case n > core.MaxStreamPacket:
		return nil, &FrameError{hearsay.DropOversized}
	}
	buf = buf[:0]
	for len(buf) < n {
		have := len(buf)
		buf = slices.Grow(buf, min(n-have, max(readChunk, have)))
		buf = buf[:min(n, cap(buf))]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, torn(err)
		}
	}
	return buf, nil
}

// torn tells a stream that ended within a frame from one that failed.
func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &FrameError{hearsay.DropTruncated}
	}
	return err
}
