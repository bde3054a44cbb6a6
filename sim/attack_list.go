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
		protects: "a death needs a majority of the observers that the roster assigns; a suspect refutes; evidence is counted by each for itself",
		needs:    "seeds: a quorum that probes for itself",
	},
	{
		Name: "f-of-k", What: "f of the K observers of one member sign together that it is dead, again whenever it refutes",
		observers: true, lay: layObservers, tell: tellObservers,
		protects: "fewer than H = K/2+1 observers bury nobody, by no rule; a buried one refutes and is back",
		needs:    "seeds: a quorum that probes for itself, and decides which nodes may be in at all",
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
		protects: "others accuse only members that they do not reach themselves; it is buried and comes back with a higher incarnation",
		needs:    "a longer memory for nodes that come and go",
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
		protects: "a card, a leave and a statement are signed by the nodes that they are from; incarnations beyond what any clock shows are refused; refutations wait for each other",
		needs:    "nothing known",
	},
	{
		Name: "sybil", What: "makes up identities until most observers of a victim are its own, and has them sign its death, again whenever it refutes",
		liars: 1, lay: laySybil, tell: tellSybil,
		needs: "a key for the network, or seeds, which decide which nodes may be in at all. The victim refutes each time",
	},
	{
		Name: "crowd", What: "has one address and 400 identities, which ask the three seeds to be in as fast as they can, and then leave and ask again",
		seeds: 3, lay: layCrowd, tell: tellCrowd,
		protects: "a source has a share of the members and of what is admitted in a minute; a leave counts as an admission",
		needs:    "lower limits",
	},
	{
		Name: "lying-seat", What: "one of three seeds lies with all that its key can sign: of the log, of snapshots, of rulings that never were, of seats",
		seeds: 3, seat: true, lay: layLyingSeat, tell: tellLyingSeat,
		protects: "a ruling needs equal ballots of a quorum, each signed by its own seed; snapshots and rulings need heads of a quorum; what no correct seed sends is refused",
		needs:    "a log that withstands lies of its leader, with four seeds or more",
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
		Name: "poison", What: "says that others' values are gone which are not written yet, as if replaced and in exchanges, says sums that never match, and makes up writers without end",
		liars: 1, adjusts: true, lay: layPoison, tell: tellPoison,
		protects: "what replaces a write that is not here is not taken; whose numbers are made up goes on under others, and puts again what may be gone",
		needs:    "writes signed by their origin; seeds keep out made-up writers only",
	},
	{
		Name: "amplify", What: "an outsider asks from forged addresses, as a stranger and in members' names, so that a bystander gets the answers",
		lay: layAmplify, tell: tellAmplify,
		protects: "an answer to a datagram is at most three times as long; what is longer goes by streams, which a forged address cannot open; what costs is counted by sender",
		needs:    "a key for the network: then no packet of an outsider is answered",
	},
	{
		Name: "reflect", What: "an outsider tells once of members that it has made up, all of them at a bystander's address, and asks seeds to let them in",
		lay: layReflect, tell: tellReflect,
		protects: "an address is a hint until it has answered: each node pings a few such a second, and tells nobody of the rest",
		needs:    "a key for the network, or seeds, which decide which nodes may be in at all",
	},
	{
		Name: "distract", What: "an outsider asks the observers of one that dies to examine others, in members' names",
		lay: layDistract, tell: tellDistract,
		protects: "what one member may ask is limited, and so are examinations under way",
		needs:    "a key for the network: then the sender that a packet names is one that holds it",
	},
}

func tellReplay(r *AttackReport) string {
	return r.fill("{replayed_packets_s} packets of the past a second: {members_wrongly_dead} members that are well buried, {rumors_heard_twice} rumors delivered again, {wrong_suspicions_per_node_minute} suspicions a node and minute")
}

func tellForged(r *AttackReport) string {
	return r.fill("nothing forged is believed: {members_wrongly_dead} deaths, {incarnations_believed_ahead} incarnations; but a member that is called dead refutes, at most {refutations_of_one_per_s} times a second; " + loadText)
}

func tellSybil(r *AttackReport) string {
	return r.fill("{identities_made_up} identities, of {keys_tried} keys tried, are a majority: up to {wrongly_dead_on_nodes} nodes hold the victim dead, for up to {wrongly_dead_longest_s} s at a time, {victim_dead_share %} of the time")
}

func tellEclipse(r *AttackReport) string {
	return r.fill("the joiner believes {fakes_believed} liars and knows {honest_members_known} honest members, for as long as it has no other contact; with an honest one besides it knows {second_contact_honest_members_known}, and {second_contact_joiner_known_to_nodes} know it")
}

func tellCrowd(r *AttackReport) string {
	return r.fill("of {identities} identities {in_from_one_address} are in, its own node among them, and a newcomer from elsewhere is in after {newcomer_in_s} s; by leaving and asking again it causes {rulings_a_minute_by_cycles} rulings a minute, and {seed_bytes_a_minute_by_cycles} bytes on a seed's disk")
}

// tellMembership tells of an attack on members.
func tellMembership(r *AttackReport) string {
	if r.Succeeded > 0 {
		return r.fill("{members_wrongly_dead} members that are well were held dead, by up to {wrongly_dead_on_nodes} nodes at a time, for up to {wrongly_dead_longest_s} s")
	}
	return r.fill("no member that is well was buried; a member is suspect {wrongly_suspect_share %} of the time, and {truth_back_s} s after the attack nobody is; rumors reach all within {rumors_latest_s} s; " + loadText)
}

// loadText tells what an attack costs all others.
const loadText = "a node sends {bytes_per_node_s} bytes a second, not {bytes_per_node_s_without}"

func tellObservers(r *AttackReport) string {
	if r.Succeeded == 0 {
		return "never succeeds: no number of lying observers buried anybody"
	}
	return r.fill("succeeds from f = {succeeds_from_f} on, the majority H = {majority}: then the victim is held dead by up to {majority_on_nodes} nodes, for up to {majority_longest_s} s at a time, {majority_dead_share %} of the time")
}

func tellCover(r *AttackReport) string {
	if r.Succeeded == 0 {
		return r.fill("never succeeds: whatever its observers say, the last knows the death after {f0_last_knows_s} s without liars, and after {below_majority_last_knows_s} s with f = H-1")
	}
	return r.fill("succeeds from f = {succeeds_from_f} on; with f = H-1 the last knows the death after {below_majority_last_knows_s} s, and after {f0_last_knows_s} s without liars")
}

func tellSlow(r *AttackReport) string {
	s := "times that another node buries it in 30 s, if it is late by"
	for i, late := range slownesses {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(" %s: {late%dms_burials}", late, late.Milliseconds())
	}
	return r.fill(s + "; it comes back each time, and nobody else dies")
}

func tellFlood(r *AttackReport) string {
	return r.fill("{flood_told_share %} of the flood is told; of others' rumors {others_lost_share %} is lost and the latest takes {others_latest_s} s (without: {others_latest_s_without} s); a death is known after {death_known_s} s (without: {death_known_s_without} s); a node that was away lacks {others_missed_by_returner_share %} of what others said")
}

func tellImpostor(r *AttackReport) string {
	return r.fill("{believed_by_share %} of honest nodes believe what is forged, and {victims_rumors_lost_share %} of what the victim itself says does not come")
}

func tellHush(r *AttackReport) string {
	return r.fill("the node does not hear {deaf_to_share %} of what the other says, and all others together {lost_share_of_all %}")
}

func tellAmplify(r *AttackReport) string {
	return r.fill("by datagram a bystander gets at most {stranger_bytes_out_per_in} bytes for each that a stranger sends (" + r.worst("stranger_", "") + "), and {member_bytes_out_per_in} for each sent in a member's name (" + r.worst("member_", "") + "); all members together send at most {stranger_bytes_caused_per_in} for each of a stranger's (" + r.worst("stranger_", "_caused") + "), and {member_bytes_caused_per_in} for each in a member's name (" + r.worst("member_", "_caused") + ")")
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
	return r.fill("a death is known to all after {death_known_s} s (without: {death_known_s_without} s), though each observer gets {requests_per_observer_s} requests a second")
}
