// Package userfile opens the files that a user names, and says of one that cannot be opened what it is. A pipe
// to which nobody writes, or from which nobody reads, is an error: the system would have the program wait for ever.
package userfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// silence is how long a pipe or a terminal may give nothing. Guess: a program that writes a list needs less.
const silence = 10 * time.Second

// Open opens a file to be read. Its errors begin with the path.
func Open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Error(path, err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	}
	if err != nil {
		file.Close()
		return nil, Error(path, err)
	}
	return file, nil
}

// Read gives what is in a file, which may have so many bytes. Its errors begin with the path.
func Read(path string, bytesMax int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	pipe := file.SetReadDeadline(time.Now().Add(silence)) == nil // no regular file has deadlines
	text, err := io.ReadAll(io.LimitReader(file, bytesMax+1))    // a device has no size that could be asked for
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), err == nil && pipe && len(text) == 0:
		return nil, fmt.Errorf("%s: nobody writes to this pipe; want a file, or a pipe that ends", path)
	case err != nil:
		return nil, Error(path, err)
	case int64(len(text)) > bytesMax:
		return nil, fmt.Errorf("%s: it is too long; want at most %d bytes", path, bytesMax)
	}
	return text, nil
}

// Append opens a file to be written at its end, and makes it if need be. Its errors begin with the path.
func Append(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("%s: nobody reads from this pipe; want a file, or a pipe that is being read", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such directory", path)
	case err != nil:
		return nil, Error(path, err)
	}
	return file, nil
}

// Error says of a path what is wrong with it, in words of the user.
func Error(path string, err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return worded{path + ": there is no such file", err}
	case errors.Is(err, syscall.EISDIR):
		return worded{path + ": it is a directory; want a file", err}
	case errors.Is(err, syscall.ENOTDIR):
		return worded{path + ": it, or a part of its path, is not a directory; want one there", err}
	case errors.Is(err, fs.ErrPermission):
		return worded{path + ": permission denied; want a file that this user may open", err}
	case errors.As(err, &failed):
		return fmt.Errorf("%s: %w", path, failed.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// worded is an error in other words.
type worded struct {
	words string
	error
}

func (w worded) Error() string { return w.words }
func (w worded) Unwrap() error { return w.error }
