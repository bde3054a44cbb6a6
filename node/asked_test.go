package node_test

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/node"
)

// A word without evidence opens a case, and what the observers have signed opens another in its place. What asked
// first is not told that nothing comes of it: the other case removes the member.
func TestAskedThatAnotherCaseDecides(t *testing.T) {
	w := newSeededNetwork(t, 5)
	w.run(8 * time.Second)
	const dead = testSeeds + 1
	stay, err := w.nodes[1].StayOf(w.nodes[dead].Self().Name)
	if err != nil {
		t.Fatal(err)
	}
	w.down[dead] = true
	w.run(300 * time.Millisecond)
	w.carry(1, w.nodes[1].Ask(w.now, addr(100), stay, node.AskedByOperator))
	w.run(5 * time.Second)
	file := w.why(1, w.nodes[dead].Self().Name)
	if !inOrder(file, "case-opened", "case-aborted", "case-opened", "ruled") {
		t.Fatalf("no case has taken the place of another, so this shows nothing: %v", kinds(file))
	}
	if len(w.told) != 1 || w.told[0].Code != hearsay.OutcomePending && w.told[0].Code != hearsay.OutcomeDone {
		t.Errorf("told %+v", w.told)
	}
}

// What an operator has asked for is told as that at the node that was asked; other seeds have only that node's word,
// or that of a seed. What a guest has brought is no operator's.
func TestWhyTellsThatAnOperatorAsked(t *testing.T) {
	const byLog = "by n1, as the seeds' log says (an operator may have asked there)"
	for by, words := range map[node.Asker]string{
		node.AskedByOperator: byLog, node.AskedByGuest: "by a node that the seeds' log does not name: one of an earlier program",
	} {
		w := newSeededNetwork(t, 1)
		w.run(6 * time.Second)
		const dead = testSeeds
		name := w.nodes[dead].Self().Name
		stay, err := w.nodes[1].StayOf(name)
		if err != nil {
			t.Fatal(err)
		}
		w.down[dead] = true
		for range 3 { // a command asks again while it waits
			w.carry(1, w.nodes[1].Ask(w.now, addr(100), stay, by))
			w.run(time.Second)
		}
		w.run(4 * time.Second)
		for teller := range testSeeds {
			file, words := w.why(teller, name), words
			if teller == 1 && by == node.AskedByOperator { // it knows
				words = "by an operator at n1"
			}
			contains(t, "the summary", file.Summary, "reported without evidence, "+words)
			asked := 0
			for _, step := range file.Steps {
				switch step.Kind {
				case hearsay.EventRemovalAsked.String():
					asked++
					contains(t, "the operator's word", step.By+": "+step.Text, "an operator: an operator asked at n1 that "+name+" be removed")
				case hearsay.EventCaseOpened.String():
					contains(t, "the case", step.Text, words)
				case hearsay.EventRuled.String():
					if strings.Contains(step.Text, "is over with") {
						contains(t, "the ruling", step.Detail, words)
					}
				}
			}
			if want := teller == 1 && by == node.AskedByOperator; (asked == 1) != want || asked > 1 {
				t.Errorf("n%d tells %d times that an operator asked there (asked by %d)", teller, asked, by)
			}
		}
	}
}

// Of operators that ask for several removals at once each question is told once, however long it takes a peer to
// answer, and what is kept of them is bounded.
func TestQuestionsOfOperatorsAreToldOnce(t *testing.T) {
	w := newSeededNetwork(t, 2)
	w.run(6 * time.Second)
	n := w.nodes[testSeeds]
	ask := func(who, epoch byte) (told int) {
		out := n.Ask(w.now, addr(100), hearsay.Stay{ID: hearsay.NodeID{who}, Epoch: hearsay.Epoch(epoch)}, node.AskedByOperator)
		for _, e := range out.Events {
			if e.Kind == hearsay.EventRemovalAsked {
				told++
			}
		}
		w.carry(testSeeds, out)
		return told
	}
	told := 0
	for range 3 { // a peer takes 30 s to ask 15 silent seeds
		told += ask(201, 1) + ask(202, 1)
		w.run(30 * time.Second)
	}
	if told != 2 {
		t.Errorf("two questions are told %d times", told)
	}
	w.run(time.Minute)
	if told = ask(201, 1) + ask(202, 1) + ask(202, 2); told != 3 {
		t.Errorf("of three that are new, or were long ago, %d are told", told)
	}
	for other := range byte(200) {
		ask(other, 1)
	}
	if told = ask(201, 1); told != 1 {
		t.Error("more than some questions are kept")
	}
}

// An operator may ask a peer, which asks a seed in its own name.
func TestWhyTellsThatAnOperatorAskedAPeer(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(6 * time.Second)
	const dead, asked = testSeeds, testSeeds + 1
	stay, err := w.nodes[asked].StayOf(w.nodes[dead].Self().Name)
	if err != nil {
		t.Fatal(err)
	}
	w.down[dead] = true
	w.carry(asked, w.nodes[asked].Ask(w.now, addr(100), stay, node.AskedByOperator))
	w.run(time.Second)
	if file := w.why(asked, w.nodes[dead].Self().Name); !inOrder(file, "removal-asked") {
		t.Errorf("the peer tells %v", kinds(file))
	}
	opened := false
	for _, step := range w.why(0, w.nodes[dead].Self().Name).Steps {
		if step.Kind == hearsay.EventCaseOpened.String() {
			contains(t, "the case", step.Text, "reported without evidence, by n4, as the seeds' log says (an operator may have asked there)")
			opened = true
			break
		}
	}
	w.run(3 * time.Second)
	for teller, words := range map[int]string{ // what its observers say has taken the place of that
		0: "By the seeds' log n4 had asked for that, too (an operator may have asked there). ", asked: "An operator had asked for that at n4. ",
	} {
		contains(t, "the summary", w.why(teller, w.nodes[dead].Self().Name).Summary, "asked its 2 observers", words)
	}
	if !opened {
		t.Error("no case was opened")
	}
}
