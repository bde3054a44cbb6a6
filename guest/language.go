package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"hearsay/dialect"
)

// Language is what a program at an address speaks.
type Language uint8

// The languages.
const (
	Ours  Language = iota + 1 // frames (package wire)
	Lines                     // an earlier program's JSON
	Text                      // text of one of two earlier programs
)

// languageWords are what the others are called in a sentence.
var languageWords = [...]string{Lines: "an earlier program's lines of JSON (p1)", Text: "the plain text of an earlier program (p0, p2)"}

// Dialect is what a guest's language is called in a list of members.
func (l Language) Dialect() string {
	switch l {
	case Lines:
		return "p1"
	case Text:
		return "p0 or p2"
	}
	return ""
}

// ForeignError says of a seed that it speaks another language than this node, where no quorum of the seeds is known to
// do so.
func (l Language) ForeignError() error {
	return fmt.Errorf("it speaks %s; a peer joins such seeds where a quorum of its list does, and seeds of hearsay where a quorum is", languageWords[l])
}

// AskLanguage asks at the other end of a new connection what it speaks, and gives up after a time. Nothing that is said
// does harm to an earlier program: one that speaks text closes without a word and registers nobody, and one that speaks
// lines answers, and logs once, that this is no JSON. If it is Ours the connection can be used on.
func AskLanguage(conn net.Conn, within time.Duration) (Language, error) {
	conn.SetDeadline(time.Now().Add(within))
	defer conn.SetDeadline(time.Time{})
	if _, err := io.WriteString(conn, dialect.Question); err != nil {
		return 0, why(err)
	}
	answer := make([]byte, len(dialect.Answer)) // no more: frames may follow
	n, err := io.ReadFull(conn, answer)
	switch {
	case err == io.EOF:
		return Text, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, why(err)
	case string(answer) == dialect.Answer:
		return Ours, nil
	}
	rest, _ := readLine(bufio.NewReader(conn), dialect.ReplyLineMax)
	if _, err := dialect.ReadProbed(append(answer[:n], rest...)); err != nil {
		return 0, fmt.Errorf("what listens there is no seed of hearsay: it answers %.40q", answer[:n])
	}
	return Lines, nil
}

// why is an error without from where to where.
func why(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		if op.Timeout() {
			return errors.New("it accepts connections, and does not answer")
		}
		return op.Err
	}
	return err
}
