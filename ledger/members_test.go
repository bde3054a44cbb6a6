package ledger

import (
	"testing"

	"hearsay"
)

func TestMembersInOrder(t *testing.T) {
	var all Members
	for i := range 40 {
		all.Add(Member{Stay: hearsay.Stay{ID: hearsay.NodeID{byte(i * 13), byte(i)}, Epoch: 1}})
	}
	seen, id := 0, hearsay.NodeID{}
	for {
		next, ok := all.After(id)
		if !ok {
			break
		}
		if next.Compare(id) <= 0 && seen > 0 {
			t.Fatalf("%v comes after %v", next, id)
		}
		seen, id = seen+1, next
	}
	if seen != 39 { // the first has the least identity of all, beyond which all are
		t.Errorf("%d of 40 members", seen)
	}
}
