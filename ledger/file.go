package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// partMost bounds a ruling in a saved ledger, and all that stands beside the rulings, in bytes: no more of a file is
// kept at a time. The evidence of 255 observers is some 100 kB.
const partMost = 1 << 20

// errPart says of a file that something in it is longer.
var errPart = fmt.Errorf("a part of it is longer than %d bytes, which no ruling is, nor what stands beside the rulings", partMost)

// parts reads a file up to a place.
type parts struct {
	io.Reader
	at, most int64
}

func (p *parts) Read(b []byte) (n int, err error) {
	if p.at >= p.most {
		return 0, errPart
	}
	n, err = p.Reader.Read(b[:min(int64(len(b)), p.most-p.at)])
	p.at += int64(n)
	return n, err
}

// SavedFile is a saved ledger, as JSON. It is read ruling by ruling, and more than once: what proves the rulings stands
// behind them.
type SavedFile struct{ io.ReadSeeker }

// Head reads all but the rulings.
func (f SavedFile) Head() (*Saved, error) {
	fields := make(map[string]json.RawMessage)
	for _, err := range f.read(fields) {
		if err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	head := &Saved{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return head, decoder.Decode(head)
}

// Rulings gives the rulings in the order in which they stand in the file.
func (f SavedFile) Rulings() iter.Seq2[*SavedRuling, error] { return f.read(nil) }

// read gives the rulings, and puts the other fields into fields, unless that is nil.
func (f SavedFile) read(fields map[string]json.RawMessage) iter.Seq2[*SavedRuling, error] {
	return func(yield func(*SavedRuling, error) bool) {
		_, err := f.Seek(0, io.SeekStart)
		file := &parts{Reader: f, most: partMost}
		decoder := json.NewDecoder(file)
		decoder.DisallowUnknownFields()
		beside := int64(partMost) // bytes left for what stands beside the rulings
		if err == nil {
			err = expect(decoder, '{', "one JSON object")
		}
		lists := 0
		for err == nil && decoder.More() {
			var name json.Token
			begins := decoder.InputOffset()
			if name, err = decoder.Token(); err != nil {
				break
			}
			if name != "rulings" {
				file.most = begins + beside
				err = takeField(decoder, name, fields)
				if beside -= decoder.InputOffset() - begins; err == nil && beside <= 0 {
					err = errPart
				}
				file.most = decoder.InputOffset() + partMost
				continue
			}
			if lists++; lists > 1 {
				err = errors.New(`it has two lists of "rulings"`)
				break
			}
			for err = expect(decoder, '[', `"rulings" that are a list`); err == nil && decoder.More(); {
				r := new(SavedRuling)
				if err = decoder.Decode(r); err == nil && !yield(r, nil) {
					return
				}
				file.most = decoder.InputOffset() + partMost
			}
			if err == nil {
				_, err = decoder.Token()
			}
		}
		if err == nil {
			_, err = decoder.Token() // the end of the object
		}
		if err == nil {
			if _, more := decoder.Token(); more != io.EOF {
				err = errors.New("it goes on after the ledger: want one JSON object")
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// takeField takes a field that is not the rulings.
func takeField(decoder *json.Decoder, name json.Token, fields map[string]json.RawMessage) error {
	var value json.RawMessage
	key, _ := name.(string)
	if err := decoder.Decode(&value); err != nil || fields == nil {
		return err
	}
	if fields[key] != nil {
		return fmt.Errorf("it has %q twice", key)
	}
	fields[key] = value
	return nil
}

// expect takes the beginning of an object or a list.
func expect(decoder *json.Decoder, begin json.Delim, want string) error {
	token, err := decoder.Token()
	if err == nil && token != begin {
		return fmt.Errorf("want %s, and there is %v", want, token)
	}
	return err
}
