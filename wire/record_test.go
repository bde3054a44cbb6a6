package wire

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

type recordSample struct {
	name   string
	record core.Record
	layout string
}

func sampleRecords() []recordSample {
	return append(slices.Concat(sampleSeedRecords(), sampleStoreRecords()), []recordSample{
		{"incarnation", &core.OwnIncarnation{Incarnation: sampleTime}, "key 11 · incarnation 8"},
		{"contact", &core.Contact{Addr: addr6, ID: idB}, "ip-length 1 · ip 16 · port 2 · id 16"},
		{"evidence", &core.KeptEvidence{Hash: sampleEvidence().Hash(testNetwork), Evidence: sampleEvidence()}, "hash 32 · " +
			"subject 16 · incarnation u · round 8 · rule 1 · accuser 16 · suspected u · condemned u · observers 1 · needed 1 · statements u · " +
			answerLayout + " · " + answerLayout},
		{"numbers", &core.ReservedNumbers{Upto: 2048}, "key 7 · upto 8"},
		{"rumor", &core.KeptRumor{Number: 300, Said: sampleTime, Rumor: &hearsay.Rumor{
			ID: clock.Dot{Origin: originA, Counter: 300}, Age: time.Second, Data: []byte("hello"),
		}}, "number 8 · origin 16 · age u · hops 1 · length u · data 5 · said 8"},
		{"rumor_of_guest", &core.KeptRumor{Number: 301, Said: sampleTime, Rumor: &hearsay.Rumor{
			ID: clock.Dot{Origin: originA, Counter: 301}, Age: time.Second, Data: []byte("hello"), Guest: idB,
		}}, "number 8 · origin 16 · age u · hops 1 · guest-mark 1 · guest 16 · length u · data 5 · said 8"},
	}...)
}

// A record to be dropped has the key of the one it drops.
func TestRecordDropped(t *testing.T) {
	for _, pair := range [][2]core.Record{
		{&core.Contact{Addr: addr4, ID: idB}, &core.Contact{Addr: addr4, Dropped: true}},
		{&core.KeptEvidence{Hash: hearsay.Hash{1}, Evidence: sampleEvidence()}, &core.KeptEvidence{Hash: hearsay.Hash{1}}},
		{&core.KeptRumor{Number: 5, Rumor: &hearsay.Rumor{Data: []byte{1}}}, &core.KeptRumor{Number: 5}},
		{&core.KeptObject{Object: sampleObject(7)}, &core.KeptObject{Object: sampleObject(7), Gone: true}},
		{&core.KeptSeen{Origin: originA, Ranges: []clock.Range{{Low: 1, High: 1}}}, &core.KeptSeen{Origin: originA}},
		{&core.KeptOver{Origin: originA}, &core.KeptOver{Origin: originA, Gone: true}},
	} {
		bucket, key, _, drop := AppendRecord(nil, nil, pair[0])
		if drop {
			t.Errorf("%+v is dropped", pair[0])
		}
		goneBucket, goneKey, value, drop := AppendRecord(nil, nil, pair[1])
		if !drop || len(value) > 0 {
			t.Errorf("%+v is not dropped", pair[1])
		}
		if bucket != goneBucket || string(key) != string(goneKey) {
			t.Errorf("%s %x became %s %x", bucket, key, goneBucket, goneKey)
		}
	}
}

func TestRecordRefused(t *testing.T) {
	_, key, value, _ := AppendRecord(nil, nil, &core.Contact{Addr: addr4, ID: idB})
	_, number, kept, _ := AppendRecord(nil, nil, &core.KeptRumor{Number: 1, Rumor: &hearsay.Rumor{Data: []byte{1}}})
	for _, tt := range []struct {
		bucket     Bucket
		key, value []byte
		want       string
	}{
		{"attic", key, value, `bucket "attic": unknown`},
		{BucketSelf, []byte("soul"), nil, `bucket self: unknown key "soul"`},
		{BucketSelf, []byte(keyIncarnation), []byte{1}, "value of key 696e6361726e6174696f6e: truncated"},
		{BucketContacts, key[:3], value, "key 04c000: truncated"},
		{BucketContacts, []byte{4, 0, 0, 0, 0, 1, 1}, value, "key 04000000000101: malformed"},
		{BucketContacts, append(key[:len(key):len(key)], 0), value, "1 bytes too long"},
		{BucketContacts, key, value[:15], "truncated"},
		{BucketEvidence, make([]byte, 32), make([]byte, 200), "malformed"},
		{BucketSelf, []byte(keyNumbers), make([]byte, 7), "truncated"},
		{BucketRumors, make([]byte, 7), kept, "truncated"},
		{BucketRumors, make([]byte, 8), kept, "key 0000000000000000: malformed"},
		{BucketRumors, number, kept[:18], "truncated"},
		{BucketRumors, number, append(kept[:18:18], 0), "truncated"},
		{BucketRumors, number, append(kept[:18:18], make([]byte, 18)...), "malformed"},
	} {
		record, err := DecodeRecord(tt.bucket, tt.key, tt.value)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %x %x: got %+v, %v, want %q", tt.bucket, tt.key, tt.value, record, err, tt.want)
		}
	}
}

// What the disk gives may change behind the record's back.
func TestRecordCopiesItsData(t *testing.T) {
	want := &core.KeptRumor{Number: 1, Rumor: &hearsay.Rumor{ID: clock.Dot{Counter: 1}, Data: []byte("kept")}}
	bucket, key, value, _ := AppendRecord(nil, nil, want)
	back, err := DecodeRecord(bucket, key, value)
	clear(value)
	if err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("got %+v, %v", back, err)
	}
}

// What a later version has added to a value is skipped.
func TestRecordOfLaterVersion(t *testing.T) {
	for _, s := range sampleRecords() {
		bucket, key, value, _ := AppendRecord(nil, nil, s.record)
		back, err := DecodeRecord(bucket, key, append(value, 1, 2, 3))
		if err != nil || !reflect.DeepEqual(back, s.record) {
			t.Errorf("%s: got %+v, %v", s.name, back, err)
		}
	}
}
