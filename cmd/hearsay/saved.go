package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"hearsay"
	"hearsay/web"
)

// savedMax bounds a saved ledger, in bytes: about a million rulings.
const savedMax = 4 << 30

// savedLedger is a ledger that was saved to a file. It is read twice, ruling by
// ruling: what proves the rulings may stand behind them, and no more than one of
// them is in memory.
type savedLedger struct {
	web.LedgerHead
	file  *os.File
	spool bool // the file is a copy of standard input or of a pipe

	first    savedRuling    // of epoch 0: there is none
	reseated []hearsay.Seat // that some ruling gave
	recovers bool           // some ruling is a recovery
}

// savedRuling is what is looked at of a ruling at the first reading.
type savedRuling struct {
	Epoch     hearsay.Epoch      `json:"epoch"`
	Kind      hearsay.RulingKind `json:"kind"`
	Previous  hearsay.Hash       `json:"previous"`
	Canonical []byte             `json:"canonical"`
}

// openSaved reads a saved ledger for the first time; file - is standard input.
func openSaved(stdin io.Reader, file string) (*savedLedger, error) {
	s := &savedLedger{}
	err := s.open(stdin, file)
	if err == nil {
		err = s.skim()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open opens a file or, of what can be read only once, a copy.
func (s *savedLedger) open(stdin io.Reader, file string) (err error) {
	if file != "-" {
		if s.file, err = os.Open(file); err != nil {
			if failed, ok := errors.AsType[*os.PathError](err); ok {
				err = failed.Err
			}
			return err
		}
		if info, err := s.file.Stat(); err != nil || info.Mode().Type()&(os.ModeNamedPipe|os.ModeCharDevice|os.ModeSocket) == 0 {
			return err
		}
		defer s.file.Close()
		stdin = s.file
	}
	s.file, err = os.CreateTemp("", "hearsay-ledger")
	if s.spool = err == nil; s.spool {
		_, err = io.Copy(s.file, io.LimitReader(stdin, savedMax))
	}
	return err
}

func (s *savedLedger) close() {
	if s.file == nil {
		return
	}
	s.file.Close() // it was only read
	if s.spool {
		os.Remove(s.file.Name())
	}
}

// skim reads all but the rulings, and of those what must be known before they
// are checked.
func (s *savedLedger) skim() error {
	head := make(map[string]json.RawMessage)
	err := eachSaved(s, head, func(r *savedRuling) error {
		if s.first.Epoch == 0 {
			s.first = *r
		}
		if r.Kind == hearsay.RulingSeat || r.Kind == hearsay.RulingRecover {
			if ruling := hearsay.NewCanonical(r.Canonical).Ruling(); ruling != nil {
				s.reseated = append(s.reseated, ruling.Seats...)
				s.recovers = s.recovers || ruling.Kind == hearsay.RulingRecover
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.first.Epoch == 0 {
		return hintedError{errors.New("there is no ruling in it"), `"hearsay ledger --json > FILE" saves a ledger; a network without seeds has none`}
	}
	text, err := json.Marshal(head)
	if err == nil {
		err = json.Unmarshal(text, &s.LedgerHead)
	}
	return notSaved(err)
}

// rulings hands over the rulings, in the order in which they stand in the file.
func (s *savedLedger) rulings(do func(*web.Ruling) error) error { return eachSaved(s, nil, do) }

// notSaved says that a file is no saved ledger.
func notSaved(err error) error {
	if err == nil {
		return nil
	}
	return hintedError{fmt.Errorf("it is no saved ledger: %s", web.JSONFault(err)), `"hearsay ledger --json > FILE" saves one`}
}

// eachSaved reads a saved ledger once. It hands over its rulings, and puts what
// else is said into head, unless that is nil.
func eachSaved[R any](s *savedLedger, head map[string]json.RawMessage, do func(*R) error) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	decoder := json.NewDecoder(io.LimitReader(s.file, savedMax))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		switch {
		case begin == json.Delim('['):
			err = errors.New("it is a JSON array")
		case err == nil:
			err = fmt.Errorf("it begins with %v: want one JSON object", begin)
		}
		return notSaved(err)
	}
	lists := 0
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return notSaved(err)
		}
		if name != "rulings" {
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				return notSaved(err)
			}
			if key, is := name.(string); is && head != nil {
				head[key] = value
			}
			continue
		}
		if lists++; lists > 1 {
			return notSaved(errors.New(`it has two lists of "rulings"`))
		}
		if err := eachItem(decoder, do); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil { // the end of the object
		return notSaved(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("it goes on after the ledger: want one JSON object")
	}
	return nil
}

// eachItem hands over the items of a list, which may be null.
func eachItem[R any](decoder *json.Decoder, do func(*R) error) error {
	begin, err := decoder.Token()
	switch {
	case err == nil && begin == nil:
		return nil
	case err == nil && begin != json.Delim('['):
		err = errors.New(`its "rulings" are no list`)
	}
	if err != nil {
		return notSaved(err)
	}
	for decoder.More() {
		item := new(R)
		if err := decoder.Decode(item); err != nil {
			return notSaved(err)
		}
		if err := do(item); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return notSaved(err)
}
