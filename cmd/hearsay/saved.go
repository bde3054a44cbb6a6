package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"hearsay/internal/userfile"
)

// savedMax bounds a saved ledger, in bytes: about two million rulings.
const savedMax = 4 << 30

// openSaved opens a saved ledger, and gives what closes it. File - is standard input; of that, and of what else can
// be read only once, it opens a copy.
func openSaved(stdin io.Reader, file string) (saved io.ReadSeeker, closes func(), err error) {
	if file != "-" {
		opened, err := userfile.Open(file)
		if err != nil {
			return nil, nil, errors.New(strings.TrimPrefix(err.Error(), file+": ")) // the caller names it
		}
		if info, err := opened.Stat(); err != nil || info.Mode().Type()&(os.ModeNamedPipe|os.ModeCharDevice|os.ModeSocket) == 0 {
			return io.NewSectionReader(opened, 0, savedMax), func() { opened.Close() }, err
		}
		defer opened.Close()
		stdin = opened
	}
	spool, err := os.CreateTemp("", "hearsay-ledger")
	if err != nil {
		return nil, nil, err
	}
	closes = func() { spool.Close(); os.Remove(spool.Name()) }
	n, err := io.Copy(spool, io.LimitReader(stdin, savedMax))
	if err == nil && n == 0 && file != "-" {
		err = errors.New("nobody writes to this pipe; want a file, or a pipe that ends")
	}
	if err != nil {
		closes()
	}
	return spool, closes, err
}
