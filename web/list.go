package web

import (
	"bytes"
	cryptorand "crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	"hearsay"
)

// chunkLen is how many bytes of an answer are gathered before they are written, and
// written at a time.
const chunkLen = 32 << 10

// listWriter writes an answer that is one JSON object with a list of any length in
// it, item by item: no more of it is in memory than a chunk and one item.
//
//	l := beginList(w, Head{…}, "rulings")
//	for … {
//		if !addItem(l, ruling) {
//			return nil
//		}
//	}
//	endList(l, Tail{…})
//	return nil
type listWriter struct {
	w     http.ResponseWriter
	begun bool         // something is written
	text  bytes.Buffer // JSON that is to be written
	json  *json.Encoder
	plain []byte
	items int
	gone  bool // the client takes no more
}

// beginList begins an answer with the fields of head, a struct, and then the list
// of that name.
func beginList[H any](w http.ResponseWriter, head H, name string) *listWriter {
	w.Header().Set("Content-Type", "application/json")
	return begin(newList(w, ""), head, name)
}

// beginObject begins an object as beginList does, behind some text, within an answer
// that has begun.
func beginObject[H any](w http.ResponseWriter, before string, head H, name string) *listWriter {
	l := newList(w, before)
	l.begun = true
	return begin(l, head, name)
}

// newList begins to write with some text.
func newList(w http.ResponseWriter, before string) *listWriter {
	l := &listWriter{w: w}
	l.json = json.NewEncoder(&l.text)
	l.text.WriteString(before)
	return l
}

func begin[H any](l *listWriter, head H, name string) *listWriter {
	begins := l.text.Len()
	encode(l, head)
	l.text.Truncate(l.text.Len() - 1) // its closing bracket
	if l.text.Len() > begins+1 {
		l.text.WriteByte(',')
	}
	l.text.WriteString(strconv.Quote(name) + ":[")
	return l
}

// addItem adds an item to the list, and reports whether the client still takes it.
func addItem[T any](l *listWriter, item T) bool { return addFilled(l, item, nil) }

// addFilled adds an item in which a value is to stand in the place of the hole, if it has one.
func addFilled[T any](l *listWriter, item T, value []byte) bool {
	if l.items++; l.items > 1 {
		l.text.WriteByte(',')
	}
	encode(l, item)
	if value != nil {
		l.fill(value)
	}
	if l.text.Len() >= chunkLen {
		l.write()
	}
	return !l.gone
}

// nextList ends the list, and begins another of that name.
func nextList(l *listWriter, name string) {
	l.text.WriteString("]," + strconv.Quote(name) + ":[")
	l.items = 0
}

// endList ends the list and the answer, with the fields of tail, a struct, behind
// the list.
func endList[T any](l *listWriter, tail T) {
	l.text.WriteByte(']')
	begins := l.text.Len()
	encode(l, tail)
	if more := l.text.Bytes()[begins:]; len(more) > len("{}") {
		more[0] = ','
	} else {
		l.text.Truncate(begins)
		l.text.WriteByte('}')
	}
	l.text.WriteByte('\n')
	l.write()
}

// fail answers with a problem in place of the list or, if some of that is written, ends the answer where it is, and
// the connection with it: so the client does not take what it has for the whole.
func (l *listWriter) fail(p *problem) {
	switch {
	case l.gone:
	case l.begun:
		panic(http.ErrAbortHandler)
	default:
		l.gone = true
		p.write(l.w)
	}
}

// encode appends a value as JSON to what is to be written.
func encode[T any](l *listWriter, value T) {
	err := l.json.Encode(value)
	if err == nil {
		l.text.Truncate(l.text.Len() - 1) // the newline
		return
	}
	l.fail(unwritable(l.w, err))
	l.text.WriteString("{}") // for what follows, which is not written
}

// hole stands in an item for a value, which is written in pieces: nobody else knows it.
var hole = func() []byte {
	b := make([]byte, 18)
	cryptorand.Read(b)
	return b
}()

// fill has a value stand in the place of the hole in what was encoded last.
func (l *listWriter) fill(value []byte) {
	text := base64.StdEncoding.EncodeToString(hole)
	before, after, found := bytes.Cut(l.text.Bytes(), []byte(text))
	if !found {
		return // it could not be encoded
	}
	after = bytes.Clone(after)
	l.text.Truncate(len(before))
	for len(value) > 0 && !l.gone {
		piece := value[:min(len(value), pieceLen)]
		value = value[len(piece):]
		l.text.Write(base64.StdEncoding.AppendEncode(l.text.AvailableBuffer(), piece))
		if l.text.Len() >= chunkLen {
			l.write()
		}
	}
	l.text.Write(after)
}

func (l *listWriter) write() {
	if !l.gone {
		l.begun = true
		l.plain = hearsay.AppendPlain(l.plain[:0], l.text.Bytes())
		_, err := l.w.Write(l.plain)
		l.gone = err != nil
	}
	l.text.Reset()
}
