package sim

import (
	"fmt"
	"strings"
)

// attackKinds are all attacks. Each is tested to come to what it says here.
var attackKinds = []AttackKind{
	{
		Name: "lying-observer", What: "says \"unreachable\" of everybody it is asked about, suspects all the others, and makes deaths of what liars sign",
		liars: 1, adjusts: true, lay: layLyingObserver, tell: tellMembership,
		protects: "a death needs a majority of the observers that the roster assigns; who is suspect refutes; evidence is counted by each for itself",
		needs:    "seeds: a quorum that probes for itself",
	},
	{
		Name: "f-of-k", What: "f of the K observers of one member sign together that it is dead, again whenever it refutes",
		observers: true, lay: layObservers, tell: tellObservers,
		protects: "fewer than H = K/2+1 observers bury nobody, by no rule; a buried one refutes and is back",
		needs:    "seeds: a quorum that probes for itself, and decides who may be in at all",
	},
	{
		Name: "cover", What: "f of the K observers of a dead member say that they reach it, and relay what it can not answer",
		observers: true, lay: layCover, tell: tellCover,
		protects: "up to K-H lying observers only delay it",
		needs:    "seeds: a quorum that probes for itself",
	},
	{
		Name: "flapper", What: "is silent for 5 s and back for 5 s, for ever",
		liars: 1, adjusts: true, lay: layFlapper, tell: tellMembership,
		protects: "others accuse only whom they do not reach themselves; it is buried and comes back with a higher incarnation",
		needs:    "a longer memory for who comes and goes",
	},
	{
		Name: "slow", What: "sends everything late, also its answers",
		liars: 1, adjusts: true, lay: laySlow, tell: tellSlow,
		protects: "any answer within an observer's examination counts, and a late one still ends a suspicion",
		needs:    "longer timeouts",
	},
	{
		Name: "replay", What: "records all it hears while one dies and returns and another is frozen, and later says it all again, from its senders' addresses too",
		liars: 1, adjusts: true, lay: layReplay, tell: tellReplay,
		protects: "incarnations and rumors' numbers are never used again; rounds are drawn by the accuser, and statements name them; an answer must fit a question",
		needs:    "a replay window, as sealed packets have",
	},
	{
		Name: "forged-incarnations", What: "signs with its own key what only others may say: higher and far incarnations, leaves, deaths, statements of all observers",
		liars: 1, adjusts: true, lay: layForged, tell: tellForged,
		protects: "a card, a leave and a statement are signed by whom they are from; more than a day ahead is refused; refutations wait for each other",
		needs:    "nothing known",
	},
	{
		Name: "sybil", What: "makes up identities until most observers of a victim are its own, and has them sign its death, again whenever it refutes",
		liars: 1, lay: laySybil, tell: tellSybil,
		needs: "a key for the network, or seeds: who may be in at all. The victim refutes each time",
	},
	{
		Name: "eclipse", What: "is the only contact of a joiner, hands out a roster of liars, answers for them, and passes nothing on",
		liars: 1, lay: layEclipse, tell: tellEclipse,
		needs: "a second contact that is honest, which undoes it; or seeds, or a key for the network",
	},
	{
		Name: "flood", What: "says five times as much as one origin may, while others talk, one dies and one is away",
		liars: 1, adjusts: true, lay: layFlood, tell: tellFlood,
		protects: "what one origin has told is limited everywhere, and origins take turns on each link",
		needs:    "room for each origin in what is kept",
	},
	{
		Name: "impostor", What: "tells rumors in another's name, under the numbers that it would give next",
		liars: 1, adjusts: true, lay: layImpostor, tell: tellImpostor,
		needs: "rumors signed by their origin",
	},
	{
		Name: "hush", What: "two neighbors of a node say that nobody holds any more what another has not said yet",
		liars: 2, lay: layHush, tell: tellHush,
		protects: "what is said to be gone is taken all the same when it comes; it is only not asked for, if it got lost or the node was away",
		needs:    "rumors signed by their origin, and with them how many there are",
	},
	{
		Name: "amplify", What: "an outsider asks from forged addresses, as a stranger and in members' names, so that a bystander gets the answers",
		lay: layAmplify, tell: tellAmplify,
		protects: "a stranger gets nothing but pongs and a card; rosters go by streams, which a forged address cannot open; what costs is counted by member",
		needs:    "a key for the network: then no packet of an outsider is answered",
	},
	{
		Name: "distract", What: "an outsider asks the observers of one that dies to examine others, in members' names",
		lay: layDistract, tell: tellDistract,
		protects: "what one member may ask is limited, and so are examinations under way",
		needs:    "a key for the network: then the sender that a packet names is one of those who hold it",
	},
}

func tellReplay(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("%s packets of the past a second: %s members who are well buried, %s rumors delivered again, %s suspicions a node and minute",
		figure(f.Get("replayed_packets_s")), figure(f.Get("members_wrongly_dead")), figure(f.Get("rumors_heard_twice")), figure(f.Get("wrong_suspicions_per_node_minute")))
}

func tellForged(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("nothing forged is believed: %s deaths, %s incarnations; but who is called dead refutes, at most %s times a second; %s",
		figure(f.Get("members_wrongly_dead")), figure(f.Get("incarnations_believed_ahead")), figure(f.Get("refutations_of_one_per_s")), tellLoad(f))
}

func tellSybil(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("%s identities, of %s keys tried, are a majority: up to %s nodes hold the victim dead, for up to %s s at a time, %s of the time",
		figure(f.Get("identities_made_up")), figure(f.Get("keys_tried")), figure(f.Get("wrongly_dead_on_nodes")), figure(f.Get("wrongly_dead_longest_s")), percent(f.Get("victim_dead_share")))
}

func tellEclipse(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("the joiner believes %s liars and knows %s honest members, for as long as it has no other contact; with an honest one besides it knows %s, and %s know it",
		figure(f.Get("fakes_believed")), figure(f.Get("honest_members_known")), figure(f.Get("second_contact_honest_members_known")), figure(f.Get("second_contact_joiner_known_to_nodes")))
}

// tellMembership tells of an attack on members.
func tellMembership(r *AttackReport) string {
	f := r.Figures
	if r.Succeeded > 0 {
		return fmt.Sprintf("%s members who are well were held dead, by up to %s nodes at a time, for up to %s s",
			figure(f.Get("members_wrongly_dead")), figure(f.Get("wrongly_dead_on_nodes")), figure(f.Get("wrongly_dead_longest_s")))
	}
	return fmt.Sprintf("nobody who is well was buried; a member is suspect %s of the time, and %s s after the attack nobody is; rumors reach all within %s s; %s",
		percent(f.Get("wrongly_suspect_share")), figure(f.Get("truth_back_s")), figure(f.Get("rumors_latest_s")), tellLoad(f))
}

// tellLoad tells what an attack costs all others.
func tellLoad(f Figures) string {
	return fmt.Sprintf("a node sends %s bytes a second, not %s", figure(f.Get("bytes_per_node_s")), figure(f.Get("bytes_per_node_s_without")))
}

func percent(share float64) string { return figure(100*share) + " %" }

func tellObservers(r *AttackReport) string {
	f := r.Figures
	if r.Succeeded == 0 {
		return "no number of lying observers buried anybody"
	}
	return fmt.Sprintf("succeeds from f = %s on, the majority H = %s: then the victim is held dead by up to %s nodes, for up to %s s at a time, %s of the time",
		figure(f.Get("succeeds_from_f")), figure(f.Get("majority")), figure(f.Get("majority_on_nodes")), figure(f.Get("majority_longest_s")),
		percent(f.Get("majority_dead_share")))
}

func tellCover(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("succeeds from f = %s on; with f = H-1 the last knows the death after %s s, and after %s s without liars",
		figure(f.Get("succeeds_from_f")), figure(f.Get("below_majority_last_knows_s")), figure(f.Get("f0_last_knows_s")))
}

func tellSlow(r *AttackReport) string {
	f := r.Figures
	s := "times that another node buries it in 30 s, if it is late by"
	for i, late := range slownesses {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(" %s: %s", late, figure(f.Get(fmt.Sprintf("late%dms_burials", late.Milliseconds()))))
	}
	return s + "; it comes back each time, and nobody else dies"
}

func tellFlood(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("%s of the flood is told; of others' rumors %s is lost and the latest takes %s s (without: %s s); a death is known after %s s (without: %s s); who was away lacks %s of what others said",
		percent(f.Get("flood_told_share")), percent(f.Get("others_lost_share")), figure(f.Get("others_latest_s")), figure(f.Get("others_latest_s_without")),
		figure(f.Get("death_known_s")), figure(f.Get("death_known_s_without")), percent(f.Get("others_missed_by_returner_share")))
}

func tellImpostor(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("%s of honest nodes believe what is forged, and %s of what the victim itself says does not come",
		percent(f.Get("believed_by_share")), percent(f.Get("victims_rumors_lost_share")))
}

func tellHush(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("the node does not hear %s of what the other says, and all others together %s",
		percent(f.Get("deaf_to_share")), percent(f.Get("lost_share_of_all")))
}

func tellAmplify(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("by datagram a bystander gets at most %s bytes for each that a stranger sends (%s), and %s for each sent in a member's name (%s); all members together send at most %s for each of a stranger's (%s), and %s for each in a member's name (%s)",
		figure(f.Get("stranger_bytes_out_per_in")), r.worst("stranger_", ""), figure(f.Get("member_bytes_out_per_in")), r.worst("member_", ""),
		figure(f.Get("stranger_bytes_caused_per_in")), r.worst("stranger_", "_caused"), figure(f.Get("member_bytes_caused_per_in")), r.worst("member_", "_caused"))
}

// worst names the question with the largest factor of a kind.
func (r *AttackReport) worst(prefix, suffix string) (name string) {
	most := 0.0
	for _, f := range r.Figures {
		rest, ok := strings.CutPrefix(f.Key, prefix)
		rest, ends := strings.CutSuffix(rest, suffix)
		other := strings.HasSuffix(rest, "_by_stream") || strings.HasSuffix(rest, "_caused") || strings.HasPrefix(rest, "bytes")
		if ok && ends && !other && f.Value > most {
			name, most = rest, f.Value
		}
	}
	return strings.ReplaceAll(name, "_", " ")
}

func tellDistract(r *AttackReport) string {
	f := r.Figures
	return fmt.Sprintf("a death is known to all after %s s (without: %s s), though each observer gets %s requests a second",
		figure(f.Get("death_known_s")), figure(f.Get("death_known_s_without")), figure(f.Get("requests_per_observer_s")))
}
