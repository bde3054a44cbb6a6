package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearsay"
	"hearsay/ledger"
	"hearsay/seeds"
	"hearsay/web"
)

func newVerify() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a saved ledger, without asking anybody",
		Long: `Check a ledger that "hearsay ledger --json" has saved; FILE - is standard input.
It asks nobody. What it proves:

  the rulings are what they were when they were ruled: heads that a quorum of
  seeds signed cover all of them
  every admission, removal and change of a seat has the signed ballots of a
  quorum, about just that; every leave is signed by its member
  the rosters follow from the rulings, each stay begins once and ends once, and
  each member leaves under the name under which it came

What it cannot prove by itself: that the keys are those of your seeds, since
an author of a made-up ledger makes up keys too. For that, give the seeds' list with
pinned keys (--config), or compare the keys that are printed. Nobody signs names
and addresses of seeds: they are the word of the node that saved the file, and
checked only to agree, each ballot's with the seat that has its key. What else
the file leaves open stands under "Not proven by this file": evidence or names
that it lacks, epochs that no quorum has signed yet.

Exit code 1 if something is wrong, and what: the first epoch of which a signature,
the roster or a name does not fit, or that the heads are of other rulings.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := verifySaved(cmd.InOrStdin(), args[0], config)
			if err != nil {
				return fmt.Errorf("verify %s: %w", args[0], err)
			}
			if asJSON {
				_, err = io.WriteString(cmd.OutOrStdout(), jsonLine(struct {
					OK bool `json:"ok"`
					*ledger.Verified
					Incomplete []string `json:"incomplete"` // what could not be checked
				}{true, found, openWords(found)}))
				return err
			}
			return printVerified(cmd.OutOrStdout(), found)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the seeds' list; keys that it pins must be the ledger's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verifySaved checks a saved ledger, with the keys that a list of seeds pins, if there is one.
func verifySaved(stdin io.Reader, file, config string) (*ledger.Verified, error) {
	saved, closes, err := openSaved(stdin, file)
	if err != nil {
		return nil, err
	}
	defer closes()
	var pins []hearsay.PublicKey
	if config != "" {
		list, err := seeds.Load(config)
		if err != nil {
			return nil, fmt.Errorf("read the seeds: %w", err)
		}
		for _, seed := range list.Seeds {
			pins = append(pins, seed.Key)
		}
	}
	var found ledger.Verified
	list := ledger.SavedFile{ReadSeeker: saved}
	head, err := list.Head()
	if err == nil {
		found, err = ledger.Verify(head, list.Rulings(), pins, hearsay.NewIdentity([32]byte{}))
	}
	switch wrong := found.Wrong; {
	case err != nil:
		return nil, hintedError{fmt.Errorf("it is no saved ledger: %s", web.JSONFault(err)), `"hearsay ledger --json > FILE" of this version saves one`}
	case wrong == nil:
		return &found, nil
	case wrong.Code == ledger.Empty:
		return nil, hintedError{errors.New(findingWords[ledger.Empty]), `"hearsay ledger --json > FILE" saves a ledger; a network without seeds has none`}
	case wrong.Epoch > 0:
		return nil, fmt.Errorf("epoch %d is wrong: %s", wrong.Epoch, wordsOf(wrong))
	default:
		return nil, errors.New(wordsOf(wrong))
	}
}

// findingWords say what a check found, with its arguments.
var findingWords = [ledger.NumCodes]string{
	ledger.Empty:           "there is no ruling in it",
	ledger.SeatsMisplaced:  "seats: slot %d stands in the place of %d",
	ledger.SeatsMany:       "seats: %d of them, which is too many, none, or not as many as the rulings have",
	ledger.FoundingOther:   "it does not follow the founding that the file tells of, whose hash is %s; it names %s",
	ledger.Misplaced:       "the ruling of epoch %d stands in its place",
	ledger.NotCanonical:    "its canonical bytes are no ruling that follows the one before",
	ledger.NoRuling:        "its fields are no ruling that seeds could have signed",
	ledger.Worded:          "its fields say something else than its canonical bytes",
	ledger.Misnamed:        "its \"member\" is called %q, and that is %q",
	ledger.BallotMisnamed:  "the ballot of seat %d is called %q's, and the seed with its key is called %q",
	ledger.BallotOfNoSeat:  "a ballot of seat %d, which there is not",
	ledger.BallotTwice:     "seat %d has cast two ballots",
	ledger.BallotOther:     "the ballot of seat %d is no yes to this",
	ledger.BallotLife:      "the ballot of seat %d is of another life than sits there",
	ledger.BallotForged:    "the ballot of seat %d is not signed by its seed: not for what stands here",
	ledger.BallotsFew:      "%d ballots of %d seats; a quorum is %d",
	ledger.StayOther:       "the stay is not that of the member that it admits",
	ledger.GuestOther:      "a guest under an identity that is not its address's",
	ledger.ClaimForged:     "the claim is not signed by the member that it admits",
	ledger.AlreadyIn:       "it admits a member that is in",
	ledger.NoStay:          "it ends a stay that is not",
	ledger.LeaveForged:     "the leave is not signed by its member",
	ledger.NoSuchSeat:      "it gives no seat that there is",
	ledger.SeatsRecovered:  "it names %d seats",
	ledger.RosterOther:     "the roster that follows from the rulings is not the one that it names",
	ledger.EvidenceNone:    "it removes by the rule %s, and names no evidence",
	ledger.EvidenceOdd:     "it removes by the rule %s, and names evidence",
	ledger.EvidenceOther:   "its evidence is not the one that was ruled on",
	ledger.EvidenceFor:     "it removes by a majority of observers, and none is against its member",
	ledger.EvidenceReached: "it removes because a suspicion ran out, and %d observers reached its member",
	ledger.HeadOfNoSeat:    "a head of seat %d, which there is not",
	ledger.HeadForged:      "the head of seat %d is not signed by its seed: not for these rulings up to it, of which the hash is %s",
	ledger.NotProven:       "no quorum of seeds has signed it: heads of %d of %d, and %d are needed",
	ledger.EpochOther:      "its newest epoch is %d, and its rulings end with epoch %d",
	ledger.SeatOther:       "seats: the key of seat %d is not the one that the rulings gave it",
	ledger.PinsMany:        "the list has %d seeds, and the ledger %d",
	ledger.PinOther:        "the list pins another key for seat %d than sits there: this is not the ledger of these seeds",

	ledger.FoundingMissing:  "the seats at the founding are not in the file, as a seed saves them and a peer does not",
	ledger.BeginningMissing: "the rulings before epoch %d are not in the file: that the roster before them is right is taken on trust in the heads",
	ledger.BeganMissing:     "which founding the first rulings are of is not in the file: their signatures were not checked",
	ledger.HeadBeyond:       "what was ruled later: seat %d has signed a head of epoch %d, and the file ends with epoch %d",
	ledger.HeadOther:        "what else seat %d has signed: another ledger, of which its head of epoch %d is; that seed lies, or its key is stolen, and what proves these rulings is signed by others",
	ledger.SeedsNamed:       "the names and addresses of seeds: nobody signs them, they are the word of the node that saved the file",
	ledger.MembersNamed:     "the names of %d members that left or were removed: the rulings that admitted them are not in the file",
	ledger.EvidenceMissing:  "what was reported before removals, as it is not in the file: of %d, the first of epochs %v",
	ledger.StatementsOdd:    "%d statements in evidence, which their observers have not signed in this ledger: seeds count only what a member's own observers have",
	ledger.BallotsUnchecked: "%d ballots of seats that have changed hands since, as their keys of then are not in the file",
	ledger.NotProvenYet:     "epochs %d to %d are not signed by a quorum of seats yet",
	ledger.Recovered:        "at epoch %d one seed began anew by its own word, because the quorum was lost",
	ledger.NotPinned:        "that these keys are your seeds': pin them as third column of a seeds' list and give that with --config, or compare them",
}

func wordsOf(f *ledger.Finding) string { return fmt.Sprintf(findingWords[f.Code], f.Args...) }

// openWords says what a file does not prove.
func openWords(found *ledger.Verified) []string {
	words := []string{}
	for i := range found.Open {
		words = append(words, wordsOf(&found.Open[i]))
	}
	return words
}

// printVerified tells what a check came to.
func printVerified(out io.Writer, f *ledger.Verified) error {
	fmt.Fprintf(out, "The ledger of network %s holds from epoch %d to %d", f.Network, f.From, f.To)
	for kind := hearsay.RulingAdmit; kind < hearsay.NumRulingKinds; kind++ {
		if n := f.ByKind[kind.String()]; n > 0 {
			fmt.Fprintf(out, ", %d %s", n, kind)
		}
	}
	fmt.Fprintf(out, ".\n%s checked; heads of %d of %d seats prove it up to epoch %d", counted(f.Ballots, "signed ballot was", "signed ballots were"), f.Signers, len(f.Seats), f.Proven)
	if f.Members >= 0 {
		fmt.Fprintf(out, "; %s in at its end", counted(f.Members, "member is", "members are"))
	}
	fmt.Fprintf(out, ".\n\n")
	table := newTable(out)
	fmt.Fprintln(table, "SEAT\tKEY\tADDRESS\tNAME")
	for _, s := range f.Seats {
		key := fmt.Sprintf("%x", s.Key[:])
		if s.Key.IsZero() {
			key = "-"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", s.Slot, key, cmp.Or(s.Addr, "-"), cmp.Or(s.Name, "-"))
	}
	table.Flush()
	if open := openWords(f); len(open) > 0 {
		fmt.Fprintf(out, "\nNot proven by this file:\n  %s\n", strings.Join(open, "\n  "))
	}
	return nil
}
