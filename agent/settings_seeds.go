package agent

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// The knobs of what only a network with seeds has.

func quorumKnobs(c *Config) []Knob {
	q := &c.Quorum
	return []Knob{
		duration("quorum.tick_every", &q.TickEvery, 10*time.Millisecond, 10*time.Second, "of a seed: Raft's tick, and its heartbeat; the same on all seeds", "etcd"),
		count("quorum.election_ticks", &q.ElectionTicks, 3, 100, "of a seed: ticks without a heartbeat, up to twice as many, until it stands for election", "etcd"),
		duration("quorum.gather_every", &q.GatherEvery, 0, time.Second, "of a seed: what is proposed within this time is one write", "guess: about a commit to a disk"),
		duration("quorum.retry_every", &q.RetryEvery, 10*time.Millisecond, time.Minute, "of a seed: what is not in the log yet is proposed again", "guess"),
		duration("quorum.probe_every", &q.ProbeEvery, 10*time.Millisecond, time.Minute, "of a seed: between two probes of the subject of a case", "guess"),
		duration("quorum.gap_most", &q.GapMost, 0, time.Hour, "of a seed: probes without an answer that are further apart are not one silence, unless there was no room for one between them", "guess").
			must("two ticks more than 2s and than quorum.probe_every", func() bool { return q.GapMost >= max(2*time.Second, q.ProbeEvery)+2*q.TickEvery }),
		duration("quorum.hello_every", &q.HelloEvery, 10*time.Millisecond, time.Minute, "of a seed: between two hellos to a seed that it does not know yet", "guess"),
		duration("quorum.head_every", &q.HeadEvery, 0, 10*time.Second, "of a seed: at most one signature of the ledger in this time", "a choice of ours"),
		duration("quorum.trial", &q.Trial, 10*time.Millisecond, time.Minute, "of a seed: a member must not answer it for so long, besides the evidence", "a choice of ours").
			must("at most quorum.short_trial", func() bool { return q.Trial <= q.ShortTrial }),
		duration("quorum.short_trial", &q.ShortTrial, 10*time.Millisecond, 10*time.Minute, "the same, without the evidence of a majority of observers", "a choice of ours").
			must("at most quorum.remove_timeout", func() bool { return q.ShortTrial <= q.RemoveTimeout }),
		duration("quorum.silent_for", &q.SilentFor, 20*time.Millisecond, time.Hour, "of a seed: a member that does not answer it for so long is brought before the seeds, whatever observers say; a suspect after quorum.short_trial", "quorum.short_trial, and the older seeds' pause").
			must("more than quorum.short_trial", func() bool { return q.SilentFor > q.ShortTrial }),
		duration("quorum.admit_timeout", &q.AdmitTimeout, 100*time.Millisecond, 10*time.Minute, "of a seed: an admission without a decision ends", "guess"),
		duration("quorum.remove_timeout", &q.RemoveTimeout, 100*time.Millisecond, 10*time.Minute, "of a seed: a removal without a decision ends, a short report that much later as it is tried longer", "guess").
			must("more than quorum.trial", func() bool { return q.RemoveTimeout > q.Trial }),
		duration("quorum.report_pause", &q.ReportPause, 0, time.Hour, "of a seed: after a case without a ruling, reports without evidence wait", "the older seeds"),
		duration("quorum.evidence_pause", &q.EvidencePause, 0, time.Hour, "of a seed: after a case that rested on a majority of observers ended without a ruling, more evidence about that stay waits", "guess: as between two rounds"),
		count("quorum.snapshot_every", &q.SnapshotEvery, 16, 1<<24, "of a seed: log entries between two snapshots", "guess"),
		count("quorum.snapshot_bytes", &q.SnapshotBytes, 1<<16, 1<<28, "of a seed: or so many bytes of them", "guess"),
		count("quorum.tail", &q.Tail, core.MaxRulings, 1<<20, "of a seed: rulings kept in memory; older ones are read from disk", "guess: 16 MB with three seeds"),
		limit("limits.members", &q.Limits.Members, "of a seed: members that may be in; those that were removed find room up to twice as many; the same on all seeds, as are those below", "guess").
			must("at most 60 times limits.admissions", func() bool { return q.Limits.Members <= hearsay.MembersMost*q.Limits.Admissions }),
		limit("limits.members_of_source", &q.Limits.MembersOfSource, "of a seed: of them from one IPv4 address or IPv6 /64, but for loopback; likewise", "guess: a rack behind one address").
			must("at most 30 times limits.source_admissions", func() bool { return q.Limits.MembersOfSource <= hearsay.MembersOfSourceMost*q.Limits.SourceAdmissions }),
		limit("limits.admissions", &q.Limits.Admissions, "of a seed: admissions a minute, once limits.members were admitted in a short time", "guess"),
		limit("limits.source_admissions", &q.Limits.SourceAdmissions, "of a seed: the same from one source, once limits.members_of_source were (of those that have left: twice as many); its members' leaves count, too", "guess"),
		duration("quorum.watch_for", &q.WatchFor, time.Second, time.Hour, "of a seed: a suspect that nobody reports is probed for so long", "guess"),
	}
}

func followerKnobs(c *Config) []Knob {
	f, p := &c.Follower, &c.Petition
	return []Knob{
		duration("follower.poll_every", &f.PollEvery, 10*time.Millisecond, time.Hour, "of a peer: between two questions whether there are new rulings", "guess"),
		duration("follower.ask_every", &f.AskEvery, 10*time.Millisecond, time.Hour, "of a peer: between two questions while it knows that it lacks some", "guess").
			must("at most follower.poll_every", func() bool { return f.AskEvery <= f.PollEvery }),
		count("follower.tail", &f.Tail, 1, 1<<20, "of a peer: rulings kept for others", "guess"),
		duration("petition.patience", &p.Patience, 1600*time.Millisecond, time.Minute, "of a peer: for one seed's answer; seeds take up to 1.3 s", "the older peers: 2 s"),
		duration("petition.retry_min", &p.RetryMin, 10*time.Millisecond, time.Minute, "of a peer: first wait after no seed of all has admitted it", "guess").
			must("at most petition.retry_max", func() bool { return p.RetryMin <= p.RetryMax }),
		duration("petition.retry_max", &p.RetryMax, 10*time.Millisecond, time.Hour, "of a peer: longest wait", "guess"),
		duration("petition.refused_wait", &p.RefusedWait, 10*time.Millisecond, time.Hour, "of a peer: wait after a seed refused to admit it", "guess: a bar may be lifted"),
		duration("petition.report_every", &p.ReportEvery, 10*time.Millisecond, time.Hour, "of a peer: between two reports of one member that is not ruled yet", "guess"),
	}
}
