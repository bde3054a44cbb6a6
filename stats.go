package hearsay

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Stats are one node's figures since it started. The first group is counted
// by the core, the second by its driver.
//
// Each field's help says what it counts, and in which unit; metric is its name for Prometheus, after
// "hearsay_", with its label, and package web serves all of them. status is the line of `hearsay status`
// that has the figure, and what that says of it there after the figures above; zero is what it says of none.
// So a figure is added here, and where it is counted or read.
type Stats struct {
	At time.Time `json:"at"` // when these figures were taken, by the clock of the node: seconds before that are a time

	Alive   int `json:"alive" metric:"members state=alive" help:"Members by state, this node included unless it is not in." status:"members=%v alive"`
	Away    int `json:"away" metric:"members_away" help:"Of the alive, those that have said that they restart and will be back soon." status:"members= (of them %v away, as they are started again)" zero:""`
	Suspect int `json:"suspect" metric:"members state=suspect" status:"members=, %v suspect"`
	Dead    int `json:"dead" metric:"members state=dead" status:"members=, %v dead"`
	Left    int `json:"left" metric:"members state=left" status:"members=, %v left"`
	Lost    int `json:"lost" metric:"members_lost" help:"Of the dead, those that were members for a minute or longer."`

	RoundTrip   float64 `json:"round_trip_s" metric:"round_trip_seconds" help:"Smoothed round trip of probes." status:"round trip=%v" zero:"not measured yet"`
	Late        uint64  `json:"late" metric:"late_total" help:"Times this node found itself paused or starved." status:"late=%v since its start: it was paused or starved, and accused nobody for a while" zero:""`
	Health      int     `json:"health" metric:"health_score" help:"Local health: 0 is well, each point stretches probe timeouts by one." status:"health=unwell: its probes wait longer, by %v times their time" zero:"well"`
	Probes      uint64  `json:"probes" metric:"probes_total" help:"Periods in which a member was pinged." status:"probes=%v"`
	ProbeFails  uint64  `json:"probe_fails" metric:"probe_failures_total" help:"Probes that had no answer, neither directly nor through relays." status:"probes=, of them %v without an answer"`
	RelayAsks   uint64  `json:"relay_asks" metric:"relay_requests_total" help:"Pings through other members that this node asked for." status:"probes=; %v asked of relays"`
	Rounds      uint64  `json:"rounds" metric:"rounds_total" help:"Rounds of witnesses that this node opened." status:"rounds=%v opened"`
	Statements  uint64  `json:"statements" metric:"statements_total" help:"Statements that this node signed as an observer." status:"rounds=, %v statements signed"`
	Condemned   uint64  `json:"condemned" metric:"condemned_total" help:"Deaths that this node decided while it did not take itself for cut off." status:"rounds=, %v members condemned"`
	Suspicions  uint64  `json:"suspicions" metric:"suspicions_total" help:"Suspicions applied, raised by any node." status:"heard=%v suspicions"`
	Deaths      uint64  `json:"deaths" metric:"deaths_total" help:"Deaths applied, decided by any node." status:"heard=, %v deaths"`
	Refutations uint64  `json:"refutations" metric:"refutations_total" help:"Claims about this node that it refuted." status:"heard=; %v claims about itself refuted"`
	ClaimsIn    uint64  `json:"claims_in" metric:"claims_total direction=in" help:"Claims received and sent." status:"claims=%v in"`
	ClaimsNew   uint64  `json:"claims_new" metric:"claims_new_total" help:"Claims received that were news." status:"claims=, of them %v news"`
	ClaimsOut   uint64  `json:"claims_out" metric:"claims_total direction=out" status:"claims=; %v out"`
	Exchanges   uint64  `json:"exchanges" metric:"exchanges_total" help:"Digests sent because rosters differed."`
	DiskWaits   int     `json:"disk_waits" metric:"disk_waiting_bytes" help:"Bytes of records that are not durable yet."`
	DiskFull    float64 `json:"disk_full_s" metric:"disk_full_seconds" help:"For how long the disk has been full, so that nothing has become durable; 0: it is not."`
	DiskBehind  float64 `json:"disk_behind_s" metric:"disk_behind_seconds" help:"For how long new work has been refused because too many records wait for the disk; 0: it is not."`
	NewsWaiting int     `json:"news_waiting" metric:"news_waiting" help:"Claims that this node still sends to others." status:"claims=, %v waiting to be told"`

	Twin        netip.AddrPort `json:"twin,omitzero" metric:"twin" help:"1 if another process has shown lately that it runs with this node's identity."`
	Namesakes   string         `json:"namesakes,omitempty" metric:"namesakes" help:"1 if several living members bear one name."`
	DeafFor     float64        `json:"deaf_s" metric:"deaf_seconds" help:"For how long no datagram has come to this node, though streams do; 0: they do."`
	Unreached   float64        `json:"unreached_s" metric:"unreached_seconds" help:"For how long no member has reached this node at its address, though members answer it; 0: they do."`
	Unheard     float64        `json:"unheard_s" metric:"unheard_seconds" help:"For how long this node has heard no member, though it lists some as living; 0: it has, or lists none."`
	Unanswered  float64        `json:"unanswered_s" metric:"unanswered_seconds" help:"For how long no member has answered this node, though it lists some as living; 0: one has, or it lists none."`
	Streamed    int            `json:"streamed" metric:"members_streamed" help:"Members that are reached by stream only." status:"stream only=%v of the members: no datagrams get through to them" zero:""`
	Indirect    []Indirect     `json:"indirect,omitempty" metric:"members_indirect" help:"Members that answer others, and for long not this node itself."`
	NarrowFor   float64        `json:"narrow_s" metric:"narrow_seconds" help:"For how long nothing large has got through between this node and others, though small packets do; 0: it does."`
	Narrow      []Narrow       `json:"narrow,omitempty" metric:"members_narrow" help:"Members to which nothing large gets, though small packets do."`
	Untaken     []Untaken      `json:"untaken,omitempty" metric:"reports_untaken" help:"Reports of members that do not answer, of this peer, that no seed takes."`
	ClockOff    float64        `json:"clock_off_s" metric:"clock_off_seconds" help:"By how much this node's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it is not, or none are known to agree."`
	Streamless  []Indirect     `json:"streamless,omitempty" metric:"members_streamless" help:"Members to which no stream gets, though datagrams do." status:"datagram only=%v of the members: no streams get through to them" zero:""`
	StreamsFail float64        `json:"streams_fail_s" metric:"streams_fail_seconds" help:"For how long no stream has got through from this node to others, though datagrams do; 0: they do."`
	NoLargeIn   []Indirect     `json:"narrow_here,omitempty" metric:"members_narrow_here" help:"Members that say that nothing large gets from them to this node, though small packets do."`
	NoStreamsIn []Indirect     `json:"streamless_here,omitempty" metric:"members_streamless_here" help:"Members that say that no stream gets from them to this node, though datagrams do."`
	Copied      float64        `json:"copied_s" metric:"copied_seconds" help:"For how long this node has run on a data directory that is a copy or was moved, until it is clear that no other process uses that; 0: it is not."`
	Overwritten float64        `json:"overwritten_s" metric:"overwritten_seconds" help:"For how long this node has run on a data directory that another program has changed since it was used last, in its first two minutes; 0: it is not."`
	AddressGone float64        `json:"address_gone_s" metric:"address_gone_seconds" help:"For how long this machine has not had the node's own address; 0: it has."`

	RumorsSaid      uint64 `json:"rumors_said" metric:"rumors_said_total" help:"Rumors that this node said." status:"rumors=%v said"`
	RumorsDelivered uint64 `json:"rumors_delivered" metric:"rumors_delivered_total" help:"Rumors delivered, this node's own too." status:"rumors=, %v delivered"`
	RumorDuplicates uint64 `json:"rumor_duplicates" metric:"rumor_duplicates_total" help:"Payloads of rumors that came again." status:"rumors=, %v payloads came again"`
	RumorConflicts  uint64 `json:"rumor_conflicts" metric:"rumor_conflicts_total" help:"Payloads under a number that was taken, kept out."`
	RumorPayloads   uint64 `json:"rumor_payloads" metric:"rumor_payloads_total" help:"Payloads of rumors sent." status:"told=%v payloads"`
	RumorNames      uint64 `json:"rumor_names" metric:"rumor_names_total" help:"Names of rumors sent without their payload." status:"told=, %v names"`
	RumorGrafts     uint64 `json:"rumor_grafts" metric:"rumor_grafts_total" help:"Requests for a payload that was named and did not come." status:"told=, %v grafts"`
	RumorPlaces     uint64 `json:"rumor_places" metric:"rumor_places_total" help:"Messages to neighbors that say where this node stands in the tree." status:"told=, %v places"`
	RumorCompares   uint64 `json:"rumor_compares" metric:"rumor_compares_total" help:"Hashes of what was heard sent to a neighbor."`
	RumorExchanges  uint64 `json:"rumor_exchanges" metric:"rumor_exchanges_total" help:"Lists of what was heard sent because hashes differed."`
	RumorsUnsent    uint64 `json:"rumors_unsent" metric:"rumors_unsent_total" help:"Payloads for which the queue of a link had no room; comparing makes up for them."`
	RumorsMissed    uint64 `json:"rumors_missed" metric:"rumors_missed_total" help:"Rumors that nobody held any more when this node asked, but for those beside numbers that a restart has left out."`
	RumorsHeld      int    `json:"rumors_held" metric:"rumors_held" help:"Rumors held for members that come late." status:"rumors=, %v held"`
	RumorsHeldBytes int    `json:"rumors_held_bytes" metric:"rumors_held_bytes" help:"Bytes of payload in the rumors held." status:"rumors= (%v bytes)"`
	Links           int    `json:"links" metric:"links" help:"Neighbors of this node in the overlay." status:"told=, over %v links"`

	StoreValues  int     `json:"store_values" metric:"store_values" help:"Values held in the store: keys, and each sibling once more." status:"store=%v values"`
	StoreBytes   int     `json:"store_bytes" metric:"store_bytes" help:"Bytes of the keys and values held in the store." status:"store= (%v bytes)"`
	StoreWriters int     `json:"store_writers" metric:"store_writers" help:"Lives of nodes of which writes are known." status:"store=, of %v writers"`
	StoreRefuses float64 `json:"store_refuses_writers_s" metric:"store_refuses_writers_seconds" help:"For how long this node has refused what writes that it does not know, as it knows as many as it may; 0: it has not." zero:"" status:"store=; REFUSES NEW WRITERS for %v"`
	StoreLives   []Lives `json:"store_lives,omitempty" metric:"store_many_lives" help:"While new writers are refused: nodes of which the most lives are known."`
	StoreCatchUp float64 `json:"store_catch_up_s" metric:"store_catch_up_seconds" help:"For how long this node, since it came in, has been catching up with the store of others; 0: it has." zero:"" status:"store=; CATCHES UP for %v"`
	StoreLacks   uint64  `json:"store_lacks" metric:"store_lacks" help:"Writes that this node lacked of another while it caught up, as of their last comparison." zero:"" status:"store=, %v writes are missing"`
	StoreWrites  uint64  `json:"store_writes" metric:"store_writes_total" help:"Records that were written at this node." status:"store=; %v written here"`
	StoreUpdates uint64  `json:"store_updates" metric:"store_updates_total" help:"Records of other nodes that were new here." status:"store=, %v heard"`
	StoreAsks    uint64  `json:"store_asks" metric:"store_asks_total" help:"Comparisons with another replica that this node began."`
	StoreBusy    uint64  `json:"store_busy" metric:"store_busy_total" help:"Comparisons that another node put off, as it was in one with a third."`
	StoreSyncs   uint64  `json:"store_syncs" metric:"store_syncs_total" help:"Messages of comparisons that came in."`

	Epoch        Epoch  `json:"epoch" metric:"epoch" help:"The newest ruling of the seeds that this node has applied; 0 in an open network."`
	CasesOpen    int    `json:"cases_open" metric:"cases_open" help:"Cases that the seeds are deciding, on a seed."`
	Rivals       int    `json:"rivals" metric:"ledger_rivals" help:"Seats that have signed another ledger than the one here; a quorum of them is a fork."`
	CasesOpened  uint64 `json:"cases_opened" metric:"cases_total" help:"Cases that were opened, on a seed."`
	CasesAborted uint64 `json:"cases_aborted" metric:"cases_aborted_total" help:"Cases that ended without a ruling, on a seed."`
	BallotsYes   uint64 `json:"ballots_yes" metric:"ballots_total verdict=yes" help:"Ballots that were counted, by verdict, on a seed."`
	BallotsNo    uint64 `json:"ballots_no" metric:"ballots_total verdict=no"`
	TurnedAway   uint64 `json:"turned_away" metric:"turned_away_total" help:"Requests for admission that did not even open a case, on a seed."`
	Admissions   uint64 `json:"admissions" metric:"rulings_total kind=admit" help:"Rulings that this node has applied since it started, by kind."`
	Removals     uint64 `json:"removals" metric:"rulings_total kind=remove"`
	Departures   uint64 `json:"departures" metric:"rulings_total kind=leave"`
	SeatRulings  uint64 `json:"seat_rulings" metric:"rulings_total kind=seat"`

	PacketsIn  uint64 `json:"packets_in" metric:"packets_total direction=in" help:"Datagrams received and sent." status:"datagrams=%v in"`
	BytesIn    uint64 `json:"bytes_in" metric:"packet_bytes_total direction=in" help:"Bytes of datagrams received and sent, without IP and UDP headers." status:"datagrams= (%v bytes)"`
	PacketsOut uint64 `json:"packets_out" metric:"packets_total direction=out" status:"datagrams=, %v out"`
	BytesOut   uint64 `json:"bytes_out" metric:"packet_bytes_total direction=out" status:"datagrams= (%v bytes)"`
	StreamsIn  uint64 `json:"streams_in" metric:"stream_packets_total direction=in" help:"Packets received and sent by stream." status:"by stream=%v in"`
	StreamIn   uint64 `json:"stream_bytes_in" metric:"stream_bytes_total direction=in" help:"Bytes received and sent by stream, framing included." status:"by stream= (%v bytes)"`
	StreamsOut uint64 `json:"streams_out" metric:"stream_packets_total direction=out" status:"by stream=, %v out"`
	StreamOut  uint64 `json:"stream_bytes_out" metric:"stream_bytes_total direction=out" status:"by stream= (%v bytes)"`
	SendFails  uint64 `json:"send_fails" metric:"send_failures_total" help:"Packets that could not be sent." status:"datagrams=, %v not sent"`
	Drops      Drops  `json:"drops" metric:"drops_total reason" help:"Input from the network that was dropped, by reason." status:"dropped=%v" zero:"nothing"`
}

// Indirect is a member that answers this node's probes only through others, or to which no stream gets, or that says
// that something does not get from it to this node.
type Indirect struct {
	ID    NodeID         `json:"id"`
	Name  string         `json:"name"`
	Addr  netip.AddrPort `json:"addr"`
	Since time.Time      `json:"since"`
}

// Lives is how many lives of one node's data directory are known as writers of the store: each life is a writer, which
// the code calls an origin. A member may have made them up, and not the one whose they are said to be.
type Lives struct {
	ID    NodeID `json:"id,omitzero"` // zero: of nodes that are no members
	Name  string `json:"name,omitempty"`
	Count int    `json:"lives"`
}

// Narrow is a member to which no packet gets that is longer than some.
type Narrow struct {
	ID    NodeID         `json:"id"`
	Name  string         `json:"name"`
	Addr  netip.AddrPort `json:"addr"`
	Since time.Time      `json:"since"`
	// of the longest datagram known to get there, without IP and UDP headers
	Passes int `json:"passes_bytes"`
	Lost   int `json:"lost_bytes"` // of the shortest known to be lost
}

// Untaken is the report of a member that no seed takes.
type Untaken struct {
	ID    NodeID         `json:"id"`
	Name  string         `json:"name"`
	Since time.Time      `json:"since"`           // it was brought first
	Seed  netip.AddrPort `json:"seed"`            // that was asked last
	Why   string         `json:"why,omitempty"`   // that did not take it
	Waits bool           `json:"waits,omitempty"` // it has answered, and does not decide
}

// String lists the reasons for which something was dropped.
func (d Drops) String() string {
	var words []string
	for reason, n := range d {
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, Drop(reason)))
		}
	}
	return strings.Join(words, ", ")
}

// MarshalJSON gives an object of all reasons.
func (d Drops) MarshalJSON() ([]byte, error) {
	counts := make(map[string]uint64, NumDrops)
	for reason, n := range d {
		counts[Drop(reason).String()] = n
	}
	return json.Marshal(counts)
}

// UnmarshalJSON takes the form of MarshalJSON. Reasons that only a later
// version knows are left out.
func (d *Drops) UnmarshalJSON(text []byte) error {
	var counts map[string]uint64
	if err := json.Unmarshal(text, &counts); err != nil {
		return err
	}
	for reason := range d {
		d[reason] = counts[Drop(reason).String()]
	}
	return nil
}
