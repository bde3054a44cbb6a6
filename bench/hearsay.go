package main

// Hearsay as a system under test.

import (
	"context"
	"iter"
	"log/slog"
	"slices"

	"hearsay"
	"hearsay/agent"
)

type hearsayMember struct {
	agent *agent.Agent
	self  hearsay.Member
}

func startHearsay(name, host string, join []string, hearing hearing) (member, error) {
	a, err := agent.Start(context.Background(), agent.Config{
		Name: name, Bind: host + ":0", Join: join, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	switch {
	case hearing.keys:
		changes, err := a.Watch(context.Background(), "")
		if err != nil {
			a.Close()
			return nil, err
		}
		go watch(changes, hearing)
	case hearing.hear != nil:
		go listen(a, hearing)
	}
	return &hearsayMember{agent: a, self: a.Self()}, nil
}

// listen hears rumors until the agent stops.
func listen(a *agent.Agent, hearing hearing) {
	for e := range a.Events(context.Background()) {
		switch e.Kind {
		case hearsay.EventRumor:
			hearing.hear(e.Rumor.Data)
		case hearsay.EventLagged:
			hearing.lag(e.Count)
		}
	}
}

// watch hears of new values until the agent stops.
func watch(changes iter.Seq[hearsay.Event], hearing hearing) {
	for e := range changes {
		if e.Kind == hearsay.EventLagged {
			hearing.lag(1)
		} else {
			hearing.hear(e.Change.Value)
		}
	}
}

func (m *hearsayMember) put(p pair) error {
	return m.agent.Put(context.Background(), p.key, p.value, nil)
}

func (m *hearsayMember) load(all []pair) error {
	for part := range slices.Chunk(all, hearsay.MaxWrites) {
		writes := make([]hearsay.Write, len(part))
		for i, p := range part {
			writes[i] = hearsay.Write{Key: p.key, Value: p.value}
		}
		if _, err := m.agent.Write(context.Background(), writes...); err != nil {
			return err
		}
	}
	return nil
}

func (m *hearsayMember) holds() int { return m.agent.Stats().StoreValues }

func (m *hearsayMember) say(data []byte) error {
	_, err := m.agent.Broadcast(context.Background(), data)
	return err
}

func (m *hearsayMember) troubles() uint64 {
	stats := m.agent.Stats()
	return stats.Suspicions + stats.Deaths
}

func (m *hearsayMember) missed() uint64 { return m.agent.Stats().RumorsMissed }

func (m *hearsayMember) name() string { return m.self.Name }
func (m *hearsayMember) addr() string { return m.self.Addr.String() }
func (m *hearsayMember) stop()        { m.agent.Close() }

func (m *hearsayMember) living() int {
	stats := m.agent.Stats()
	return stats.Alive + stats.Suspect
}

func (m *hearsayMember) lists(name string) bool {
	for _, o := range m.agent.Members() {
		if o.Name == name && o.State.Living() {
			return true
		}
	}
	return false
}

func (m *hearsayMember) sent() traffic {
	stats := m.agent.Stats()
	return traffic{datagrams: stats.PacketsOut, datagramBytes: stats.BytesOut, streamBytes: stats.StreamOut}
}
