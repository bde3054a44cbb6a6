package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

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
		decoder := json.NewDecoder(f)
		decoder.DisallowUnknownFields()
		if err == nil {
			err = expect(decoder, '{', "one JSON object")
		}
		lists := 0
		for err == nil && decoder.More() {
			var name json.Token
			if name, err = decoder.Token(); err != nil {
				break
			}
			if name != "rulings" {
				err = takeField(decoder, name, fields)
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
