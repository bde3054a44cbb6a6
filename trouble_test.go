package hearsay

import (
	"strings"
	"testing"
)

// Of seeds that are down it is told when those that are left are just a quorum: not before, and not once they are none.
func TestLastQuorumIsTold(t *testing.T) {
	for _, c := range []struct {
		seeds, down int
		told        bool
	}{{1, 0, false}, {2, 0, false}, {3, 0, false}, {3, 1, true}, {3, 2, false}, {4, 1, true}, {5, 1, false}, {5, 2, true}, {5, 3, false}} {
		a := Authority{Seeded: true, Quorum: QuorumOf(c.seeds), Seeds: make([]SeedStatus, c.seeds), Ready: c.seeds-c.down >= QuorumOf(c.seeds)}
		for i := range a.Seeds {
			a.Seeds[i].Name, a.Seeds[i].State = "seed-"+string(rune('a'+i)), StateAlive
			if i < c.down {
				a.Seeds[i].State = StateSuspect
			}
		}
		text := strings.Join(Troubles(&a, &Stats{}), "\n")
		if told := strings.Contains(text, "just a quorum of seeds is left"); told != c.told || told && !strings.Contains(text, "without seed-a") {
			t.Errorf("%d of %d seeds down: %q", c.down, c.seeds, text)
		}
		for _, cutOff := range []Stats{{Unheard: 1}, {Unanswered: 1}, {AddressGone: 1}} {
			if text := a.LastQuorum(&cutOff); text != "" {
				t.Errorf("a node that is cut off itself says %q", text)
			}
		}
	}
}
