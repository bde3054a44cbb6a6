package main

// Hearsay as a system under test.

import (
	"context"
	"log/slog"

	"hearsay"
	"hearsay/agent"
)

type hearsayMember struct {
	agent *agent.Agent
	self  hearsay.Member
}

func startHearsay(name, host string, join []string) (member, error) {
	a, err := agent.Start(context.Background(), agent.Config{
		Name: name, Bind: host + ":0", Join: join, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return &hearsayMember{agent: a, self: a.Self()}, nil
}

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
