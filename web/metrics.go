package web

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hearsay"
)

// metrics answers with the node's figures, read at each scrape, and those of
// the Go runtime and the process.
func metrics(b Backend, info Info) func(http.ResponseWriter, *http.Request) *problem {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(b, info),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) *problem {
		scrape.ServeHTTP(w, r)
		return nil
	}
}

// family is the metrics of one name. Read gives them, with the value of the
// label if there is one.
type family struct {
	name  string
	help  string
	label string
	kind  prometheus.ValueType
	read  func(s *hearsay.Stats, give func(value float64, label string))
}

// one is a family without a label.
func one(name, help string, kind prometheus.ValueType, value func(*hearsay.Stats) float64) family {
	return family{name, help, "", kind, func(s *hearsay.Stats, give func(float64, string)) { give(value(s), "") }}
}

// total counts from the node's start.
func total(name, help string, value func(*hearsay.Stats) uint64) family {
	return one(name, help, prometheus.CounterValue, func(s *hearsay.Stats) float64 { return float64(value(s)) })
}

// gauge goes up and down.
func gauge(name, help string, value func(*hearsay.Stats) float64) family {
	return one(name, help, prometheus.GaugeValue, value)
}

// traffic counts from the node's start, both ways.
func traffic(name, help string, in, out func(*hearsay.Stats) uint64) family {
	return family{name, help, "direction", prometheus.CounterValue, func(s *hearsay.Stats, give func(float64, string)) {
		give(float64(in(s)), "in")
		give(float64(out(s)), "out")
	}}
}

// truth is 1 or 0.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// families are the figures of hearsay.Stats, in its order.
var families = []family{
	{
		"hearsay_members", "Members by state, this node included.", "state", prometheus.GaugeValue,
		func(s *hearsay.Stats, give func(float64, string)) {
			give(float64(s.Alive), hearsay.StateAlive.String())
			give(float64(s.Suspect), hearsay.StateSuspect.String())
			give(float64(s.Dead), hearsay.StateDead.String())
			give(float64(s.Left), hearsay.StateLeft.String())
		},
	},
	gauge("hearsay_members_away", "Of the alive, those that have said that they are away and back soon.", func(s *hearsay.Stats) float64 { return float64(s.Away) }),
	gauge("hearsay_members_lost", "Of the dead, those that were members for a minute or longer.", func(s *hearsay.Stats) float64 { return float64(s.Lost) }),
	total("hearsay_probes_total", "Periods in which a member was pinged.", func(s *hearsay.Stats) uint64 { return s.Probes }),
	total("hearsay_probe_failures_total", "Probes that had no answer, neither directly nor through relays.", func(s *hearsay.Stats) uint64 { return s.ProbeFails }),
	total("hearsay_relay_requests_total", "Pings through other members that this node asked for.", func(s *hearsay.Stats) uint64 { return s.RelayAsks }),
	total("hearsay_rounds_total", "Rounds of witnesses that this node opened.", func(s *hearsay.Stats) uint64 { return s.Rounds }),
	total("hearsay_statements_total", "Statements that this node signed as an observer.", func(s *hearsay.Stats) uint64 { return s.Statements }),
	total("hearsay_condemned_total", "Deaths that this node decided.", func(s *hearsay.Stats) uint64 { return s.Condemned }),
	total("hearsay_deaths_total", "Deaths applied, from whomever.", func(s *hearsay.Stats) uint64 { return s.Deaths }),
	total("hearsay_suspicions_total", "Suspicions applied, from whomever.", func(s *hearsay.Stats) uint64 { return s.Suspicions }),
	total("hearsay_refutations_total", "Claims about this node that it refuted.", func(s *hearsay.Stats) uint64 { return s.Refutations }),
	traffic("hearsay_claims_total", "Claims received and sent.",
		func(s *hearsay.Stats) uint64 { return s.ClaimsIn }, func(s *hearsay.Stats) uint64 { return s.ClaimsOut }),
	total("hearsay_claims_new_total", "Claims received that were news.", func(s *hearsay.Stats) uint64 { return s.ClaimsNew }),
	total("hearsay_exchanges_total", "Digests sent because rosters differed.", func(s *hearsay.Stats) uint64 { return s.Exchanges }),
	total("hearsay_late_total", "Times this node found itself paused or starved.", func(s *hearsay.Stats) uint64 { return s.Late }),
	gauge("hearsay_disk_waiting_bytes", "Bytes of records that are not durable yet.", func(s *hearsay.Stats) float64 { return float64(s.DiskWaits) }),
	gauge("hearsay_disk_behind_seconds", "Since when so many records wait for the disk that nothing is taken on that adds to them; 0: that is not so.", func(s *hearsay.Stats) float64 { return s.DiskBehind }),
	gauge("hearsay_news_waiting", "Claims still being told.", func(s *hearsay.Stats) float64 { return float64(s.NewsWaiting) }),
	gauge("hearsay_health_score", "Local health: 0 is well, each point stretches probe timeouts by one.", func(s *hearsay.Stats) float64 { return float64(s.Health) }),
	gauge("hearsay_round_trip_seconds", "Smoothed round trip of probes.", func(s *hearsay.Stats) float64 { return s.RoundTrip }),
	gauge("hearsay_twin", "1 if another process has shown lately that it runs with this node's identity.", func(s *hearsay.Stats) float64 { return truth(s.Twin.IsValid()) }),
	gauge("hearsay_namesakes", "1 if several living members bear one name.", func(s *hearsay.Stats) float64 { return truth(s.Namesakes != "") }),
	gauge("hearsay_unreached_seconds", "Since when no member has reached this node at its address, though members answer it; 0: they do.", func(s *hearsay.Stats) float64 { return s.Unreached }),
	gauge("hearsay_unheard_seconds", "For how long this node has heard no member, though it lists some as living; 0: it has, or lists none.", func(s *hearsay.Stats) float64 { return s.Unheard }),
	gauge("hearsay_deaf_seconds", "For how long no datagram has come to this node, though streams do; 0: they do.", func(s *hearsay.Stats) float64 { return s.DeafFor }),
	gauge("hearsay_members_streamed", "Members that are reached by stream only.", func(s *hearsay.Stats) float64 { return float64(s.Streamed) }),
	gauge("hearsay_members_indirect", "Members that answer others, and for long not this node itself.", func(s *hearsay.Stats) float64 { return float64(len(s.Indirect)) }),
	gauge("hearsay_clock_off_seconds", "By how much this seed's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it is not, or none are known to agree.", func(s *hearsay.Stats) float64 { return s.ClockOff }),
	gauge("hearsay_members_undialled", "Living members to which no stream could be opened.", func(s *hearsay.Stats) float64 { return float64(s.Undialled) }),
	gauge("hearsay_streams_fail_seconds", "For how long streams to all, or to several members in a row, could not be opened; 0: they could.", func(s *hearsay.Stats) float64 { return s.StreamsFail }),
	gauge("hearsay_address_gone_seconds", "For how long this machine has not had the node's own address; 0: it has.", func(s *hearsay.Stats) float64 { return s.AddressGone }),
	total("hearsay_rumors_said_total", "Rumors that this node said.", func(s *hearsay.Stats) uint64 { return s.RumorsSaid }),
	total("hearsay_rumors_delivered_total", "Rumors delivered, this node's own too.", func(s *hearsay.Stats) uint64 { return s.RumorsDelivered }),
	total("hearsay_rumor_duplicates_total", "Payloads of rumors that came again.", func(s *hearsay.Stats) uint64 { return s.RumorDuplicates }),
	total("hearsay_rumor_conflicts_total", "Payloads under a number that was taken, kept out.", func(s *hearsay.Stats) uint64 { return s.RumorConflicts }),
	total("hearsay_rumor_payloads_total", "Payloads of rumors sent.", func(s *hearsay.Stats) uint64 { return s.RumorPayloads }),
	total("hearsay_rumor_names_total", "Names of rumors sent without their payload.", func(s *hearsay.Stats) uint64 { return s.RumorNames }),
	total("hearsay_rumor_grafts_total", "Requests for a payload that was named and did not come.", func(s *hearsay.Stats) uint64 { return s.RumorGrafts }),
	total("hearsay_rumor_places_total", "Words to neighbors of where this node stands in the tree.", func(s *hearsay.Stats) uint64 { return s.RumorPlaces }),
	total("hearsay_rumor_compares_total", "Hashes of what was heard sent to a neighbor.", func(s *hearsay.Stats) uint64 { return s.RumorCompares }),
	total("hearsay_rumor_exchanges_total", "Lists of what was heard sent because hashes differed.", func(s *hearsay.Stats) uint64 { return s.RumorExchanges }),
	total("hearsay_rumors_unsent_total", "Payloads for which the queue of a link had no room; comparing makes up for them.", func(s *hearsay.Stats) uint64 { return s.RumorsUnsent }),
	total("hearsay_rumors_missed_total", "Rumors that nobody held any more when this node asked, but for those beside numbers that a restart has left out.", func(s *hearsay.Stats) uint64 { return s.RumorsMissed }),
	gauge("hearsay_rumors_held", "Rumors held for those who come late.", func(s *hearsay.Stats) float64 { return float64(s.RumorsHeld) }),
	gauge("hearsay_rumors_held_bytes", "Bytes of payload in the rumors held.", func(s *hearsay.Stats) float64 { return float64(s.RumorsHeldBytes) }),
	gauge("hearsay_links", "Neighbors of this node in the overlay.", func(s *hearsay.Stats) float64 { return float64(s.Links) }),
	gauge("hearsay_epoch", "The newest ruling of the seeds that this node has applied; 0 in an open network.", func(s *hearsay.Stats) float64 { return float64(s.Epoch) }),
	gauge("hearsay_ledger_rivals", "Seats that have signed another ledger than the one here; a quorum of them is a fork.", func(s *hearsay.Stats) float64 { return float64(s.Rivals) }),
	gauge("hearsay_cases_open", "Cases that the seeds are deciding, on a seed.", func(s *hearsay.Stats) float64 { return float64(s.CasesOpen) }),
	total("hearsay_cases_total", "Cases that were opened, on a seed.", func(s *hearsay.Stats) uint64 { return s.CasesOpened }),
	total("hearsay_cases_aborted_total", "Cases that ended without a ruling, on a seed.", func(s *hearsay.Stats) uint64 { return s.CasesAborted }),
	{
		"hearsay_ballots_total", "Ballots that were counted, by verdict, on a seed.", "verdict", prometheus.CounterValue,
		func(s *hearsay.Stats, give func(float64, string)) {
			give(float64(s.BallotsYes), hearsay.BallotYes.String())
			give(float64(s.BallotsNo), hearsay.BallotNo.String())
		},
	},
	{
		"hearsay_rulings_total", "Rulings that this node has applied since it started, by kind.", "kind", prometheus.CounterValue,
		func(s *hearsay.Stats, give func(float64, string)) {
			give(float64(s.Admissions), hearsay.RulingAdmit.String())
			give(float64(s.Removals), hearsay.RulingRemove.String())
			give(float64(s.Departures), hearsay.RulingLeave.String())
			give(float64(s.SeatRulings), hearsay.RulingSeat.String())
		},
	},
	total("hearsay_turned_away_total", "Requests for admission that did not even open a case, on a seed.", func(s *hearsay.Stats) uint64 { return s.TurnedAway }),
	traffic("hearsay_packets_total", "Datagrams received and sent.",
		func(s *hearsay.Stats) uint64 { return s.PacketsIn }, func(s *hearsay.Stats) uint64 { return s.PacketsOut }),
	traffic("hearsay_packet_bytes_total", "Bytes of datagrams received and sent, without IP and UDP headers.",
		func(s *hearsay.Stats) uint64 { return s.BytesIn }, func(s *hearsay.Stats) uint64 { return s.BytesOut }),
	traffic("hearsay_stream_packets_total", "Packets received and sent by stream.",
		func(s *hearsay.Stats) uint64 { return s.StreamsIn }, func(s *hearsay.Stats) uint64 { return s.StreamsOut }),
	traffic("hearsay_stream_bytes_total", "Bytes received and sent by stream, framing included.",
		func(s *hearsay.Stats) uint64 { return s.StreamIn }, func(s *hearsay.Stats) uint64 { return s.StreamOut }),
	total("hearsay_send_failures_total", "Packets that could not be sent.", func(s *hearsay.Stats) uint64 { return s.SendFails }),
	{
		"hearsay_drops_total", "Input from the network that was dropped, by reason.", "reason", prometheus.CounterValue,
		func(s *hearsay.Stats, give func(float64, string)) {
			for reason, n := range s.Drops {
				give(float64(n), hearsay.Drop(reason).String())
			}
		},
	},
}

// collector gives the families of one node.
type collector struct {
	backend Backend
	descs   []*prometheus.Desc // beside families
	joined  *prometheus.Desc
	quorum  *prometheus.Desc
	started *prometheus.Desc
	build   *prometheus.Desc
	version string

	logLost     *prometheus.Desc
	logLostRead func() uint64 // nil: not counted
}

func newCollector(b Backend, info Info) *collector {
	c := &collector{
		backend: b,
		joined:  prometheus.NewDesc("hearsay_joined", "1 once this node is in its network, else 0.", nil, nil),
		quorum:  prometheus.NewDesc("hearsay_quorum", "1 while a quorum of seeds is heard, so that somebody can be admitted or removed, else 0; absent in an open network.", nil, nil),
		started: prometheus.NewDesc("hearsay_start_time_seconds", "When this node started, in Unix time.", nil, nil),
		build:   prometheus.NewDesc("hearsay_build_info", "1, with the version of the program.", []string{"version"}, nil),
		version: info.Version,

		logLost:     prometheus.NewDesc("hearsay_log_lines_lost_total", "Lines of the log that could not be written: the reader stood still or was gone, or the disk was full.", nil, nil),
		logLostRead: info.LogLost,
	}
	for _, f := range families {
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, labels, nil))
	}
	return c
}

// Describe is of prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect is of prometheus.Collector. It may be called by several scrapes at
// once.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	stats := c.backend.Stats()
	for i, f := range families {
		f.read(&stats, func(value float64, label string) {
			if f.label == "" {
				out <- prometheus.MustNewConstMetric(c.descs[i], f.kind, value)
			} else {
				out <- prometheus.MustNewConstMetric(c.descs[i], f.kind, value, label)
			}
		})
	}
	out <- prometheus.MustNewConstMetric(c.joined, prometheus.GaugeValue, truth(c.backend.Joined()))
	if authority := c.backend.Authority(); authority.Seeded {
		out <- prometheus.MustNewConstMetric(c.quorum, prometheus.GaugeValue, truth(authority.Ready))
	}
	if c.logLostRead != nil {
		out <- prometheus.MustNewConstMetric(c.logLost, prometheus.CounterValue, float64(c.logLostRead()))
	}
	out <- prometheus.MustNewConstMetric(c.started, prometheus.GaugeValue, float64(c.backend.Started().UnixMilli())/1000)
	out <- prometheus.MustNewConstMetric(c.build, prometheus.GaugeValue, 1, c.version)
}
