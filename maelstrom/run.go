package maelstrom

import (
	"bufio"
	"crypto/ed25519"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"hearsay"
)

const (
	maxLine = 16 << 20 // bytes of a line: a read of a million values is shorter
	waiting = 64       // lines read and not yet taken, before reading waits
)

// Run runs a session on real time until in ends. It returns nil then, or what
// is wrong with in or out; its reader ends with in.
func Run(cfg Config, in io.Reader, out io.Writer) error {
	var seed [ed25519.SeedSize]byte
	crand.Read(seed[:])
	var chance [32]byte
	crand.Read(chance[:])
	s := New(cfg, hearsay.NewIdentity(seed), rand.New(rand.NewChaCha8(chance)))

	lines, done := make(chan []byte, waiting), make(chan struct{})
	defer close(done)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		failed <- readLines(in, lines, done)
	}()
	if err := s.converse(lines, out); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// readLines hands on lines until in ends, or nobody wants them.
func readLines(in io.Reader, lines chan<- []byte, done <-chan struct{}) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		line := append([]byte(nil), scanner.Bytes()...)
		select {
		case lines <- line:
		case <-done:
			return nil
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("a line of more than %d bytes", maxLine)
	} else {
		return err
	}
}

// converse carries out the session until lines are closed.
func (s *Session) converse(lines <-chan []byte, out io.Writer) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		var said []byte
		select {
		case line, open := <-lines:
			if !open {
				return nil
			}
			said = s.Line(time.Now(), line)
		case <-alarm.C:
			said = s.Tick(time.Now())
		}
		if len(said) > 0 {
			if _, err := out.Write(said); err != nil {
				return err
			}
		}
		if at, ok := s.Deadline(); ok {
			alarm.Reset(time.Until(at))
		}
	}
}
