package hearsay

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Stats are one node's figures since it started. The first group is counted
// by the core, the second by its driver.
type Stats struct {
	Alive   int `json:"alive"` // members by state, this node included
	Suspect int `json:"suspect"`
	Dead    int `json:"dead"`
	Left    int `json:"left"`
	Away    int `json:"away"` // of the alive, those that have said that they are away and back soon
	Lost    int `json:"lost"` // of the dead, those that were members for a minute or longer

	Probes      uint64  `json:"probes"`        // periods in which a member was pinged
	ProbeFails  uint64  `json:"probe_fails"`   // of these, without any answer
	RelayAsks   uint64  `json:"relay_asks"`    // pings through others that this node asked for
	Rounds      uint64  `json:"rounds"`        // rounds that this node opened
	Statements  uint64  `json:"statements"`    // statements that this node signed
	Condemned   uint64  `json:"condemned"`     // deaths that this node decided
	Deaths      uint64  `json:"deaths"`        // deaths applied, from whomever
	Suspicions  uint64  `json:"suspicions"`    // suspicions applied, from whomever
	Refutations uint64  `json:"refutations"`   // of claims about this node itself
	ClaimsIn    uint64  `json:"claims_in"`     // claims received
	ClaimsNew   uint64  `json:"claims_new"`    // of these, news
	ClaimsOut   uint64  `json:"claims_out"`    // claims sent
	Exchanges   uint64  `json:"exchanges"`     // digests sent because rosters differed
	Late        uint64  `json:"late"`          // times this node found itself paused or starved
	DiskWaits   int     `json:"disk_waits"`    // bytes of records that are not durable yet
	DiskBehind  float64 `json:"disk_behind_s"` // seconds since when so many wait that nothing is taken on that adds to them; 0: that is not so
	NewsWaiting int     `json:"news_waiting"`  // claims still being told
	Health      int     `json:"health"`        // 0 is well; each point stretches probe timeouts by one
	RoundTrip   float64 `json:"round_trip_s"`  // smoothed, seconds

	Twin        netip.AddrPort `json:"twin,omitzero"`       // where another process has shown lately that it runs with this node's identity
	Namesakes   string         `json:"namesakes,omitempty"` // which living members bear one name, and where they are; "": none do
	DeafFor     float64        `json:"deaf_s"`              // seconds for which no datagram has come to this node, though streams do; 0: they do
	Unreached   float64        `json:"unreached_s"`         // seconds for which no member has reached this node at its address, though members answer it; 0: they do
	Unheard     float64        `json:"unheard_s"`           // seconds for which this node has heard no member, though it lists some as living; 0: it has, or lists none
	Streamed    int            `json:"streamed"`            // members that are reached by stream only
	Indirect    []Indirect     `json:"indirect,omitempty"`  // members that answer others, and for long not this node
	ClockOff    float64        `json:"clock_off_s"`         // seconds by which this seed's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it is not, or none are known to agree
	Undialled   int            `json:"undialled"`           // living members to which no stream could be opened
	StreamsFail float64        `json:"streams_fail_s"`      // seconds for which streams to all, or to several members in a row, could not be opened; 0: they could
	AddressGone float64        `json:"address_gone_s"`      // seconds for which this machine has not had the node's own address; 0: it has

	RumorsSaid      uint64 `json:"rumors_said"`       // by this node
	RumorsDelivered uint64 `json:"rumors_delivered"`  // this node's own too
	RumorDuplicates uint64 `json:"rumor_duplicates"`  // payloads that came again
	RumorConflicts  uint64 `json:"rumor_conflicts"`   // payloads under a number that was taken
	RumorPayloads   uint64 `json:"rumor_payloads"`    // sent
	RumorNames      uint64 `json:"rumor_names"`       // sent without a payload
	RumorGrafts     uint64 `json:"rumor_grafts"`      // sent
	RumorPlaces     uint64 `json:"rumor_places"`      // sent: where this node stands in the tree
	RumorCompares   uint64 `json:"rumor_compares"`    // hashes of what was seen, sent to a neighbor
	RumorExchanges  uint64 `json:"rumor_exchanges"`   // lists of what was seen, sent because hashes differed
	RumorsUnsent    uint64 `json:"rumors_unsent"`     // payloads for which a link's queue had no room
	RumorsMissed    uint64 `json:"rumors_missed"`     // counted as seen because nobody holds them any more
	RumorsHeld      int    `json:"rumors_held"`       // for those who come late
	RumorsHeldBytes int    `json:"rumors_held_bytes"` // of payload
	Links           int    `json:"links"`             // neighbors

	Epoch        Epoch  `json:"epoch"`         // of a seeded network: the newest ruling that this node has applied
	CasesOpen    int    `json:"cases_open"`    // on a seed
	Rivals       int    `json:"rivals"`        // seats that have signed another ledger than the one here
	CasesOpened  uint64 `json:"cases_opened"`  // that this node has seen; on a seed
	CasesAborted uint64 `json:"cases_aborted"` // of these, ended without a ruling
	BallotsYes   uint64 `json:"ballots_yes"`   // counted; on a seed
	BallotsNo    uint64 `json:"ballots_no"`
	TurnedAway   uint64 `json:"turned_away"`  // told of: asked this seed to be admitted, without even a case
	Admissions   uint64 `json:"admissions"`   // ruled, and applied by this node since it started
	Removals     uint64 `json:"removals"`     // likewise
	Departures   uint64 `json:"departures"`   // likewise: by their own word
	SeatRulings  uint64 `json:"seat_rulings"` // likewise: a seat that changed hands, or a recovery

	PacketsIn  uint64 `json:"packets_in"`
	PacketsOut uint64 `json:"packets_out"`
	BytesIn    uint64 `json:"bytes_in"` // datagrams, without IP and UDP headers
	BytesOut   uint64 `json:"bytes_out"`
	StreamsIn  uint64 `json:"streams_in"` // packets by stream
	StreamsOut uint64 `json:"streams_out"`
	StreamIn   uint64 `json:"stream_bytes_in"` // bytes by stream, framing included
	StreamOut  uint64 `json:"stream_bytes_out"`
	SendFails  uint64 `json:"send_fails"`
	Drops      Drops  `json:"drops"` // input dropped, by reason
}

// Indirect is a member that answers this node's probes only through others.
type Indirect struct {
	ID    NodeID         `json:"id"`
	Name  string         `json:"name"`
	Addr  netip.AddrPort `json:"addr"`
	Since time.Time      `json:"since"`
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
