package dialect

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; then read the difference")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		switch {
		case i >= len(gotLines):
			t.Errorf("%s:%d: got no %s", file, i+1, wantLines[i])
		case i >= len(wantLines):
			t.Errorf("%s:%d: got %s, want nothing", file, i+1, gotLines[i])
		case gotLines[i] != wantLines[i]:
			t.Errorf("%s:%d: got %s, want %s", file, i+1, gotLines[i], wantLines[i])
		}
	}
}

func TestPhrases(t *testing.T) {
	peer, other := netip.MustParseAddrPort("10.0.0.1:6001"), netip.MustParseAddrPort("10.0.0.2:6002")
	seed := netip.MustParseAddrPort("10.0.0.9:5001")
	const text = "1700000000:10.0.0.1:1"
	phrases := []string{
		fmt.Sprintf(PhraseSeedBoot, 3, 2), PhraseSeedListening,
		fmt.Sprintf(PhraseProposal, peer), fmt.Sprintf(PhraseRegistered, peer),
		PhraseVote(Registration, peer, true), PhraseVote(Registration, peer, false),
		PhraseConsensus(Registration, peer, true, 3, 2), PhraseConsensus(Registration, peer, false, 1, 2),
		fmt.Sprintf(PhrasePeers, 5), fmt.Sprintf(PhraseReport, peer, other),
		PhraseVote(Death, peer, true), PhraseVote(Death, peer, false),
		PhraseConsensus(Death, peer, true, 2, 2), PhraseConsensus(Death, peer, false, 0, 2),

		fmt.Sprintf(PhrasePeerBoot, 3, 2), PhrasePeerListening,
		PhraseSeedAnswer(seed, true), PhraseSeedAnswer(seed, false), fmt.Sprintf(PhraseSeedFailed, seed, "connection refused"),
		fmt.Sprintf(PhraseQuorum, 2), fmt.Sprintf(PhraseConnected, other), fmt.Sprintf(PhraseBootstrap, 2, 5, 4),
		fmt.Sprintf(PhraseGenerated, text), fmt.Sprintf(PhraseFirstTime, text, other.Addr()), PhraseDuplicate(text, other),
		PhraseProbe(peer, other, true), PhraseProbe(peer, other, false),
		fmt.Sprintf(PhraseSuspicion, peer, 2), PhraseAgreed(peer, 2, 3, 2, 1, true), PhraseAgreed(peer, 1, 3, 2, 0, false),
		fmt.Sprintf(PhraseReported, peer, 2, 3),
	}
	golden(t, "phrases.txt", strings.Join(phrases, "\n")+"\n")

	// What the manual of the older programs has people search for.
	for search, want := range map[string]int{
		`Registration quorum|Bootstrap complete`:                               2,
		`Generated gossip|First-time gossip received|Duplicate gossip ignored`: 3,
		`suspicion|Dead-node consensus|DEAD_REPORT|COMMIT|ABORT`:               7,
	} {
		hits := 0
		for _, phrase := range phrases {
			if regexp.MustCompile(search).MatchString(phrase) {
				hits++
			}
		}
		if hits != want {
			t.Errorf("%s is in %d phrases, want %d", search, hits, want)
		}
	}
}
