package web_test

import (
	"bufio"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestMetricsAreNamedByConvention(t *testing.T) {
	r := ask(handler(newVillage()), "GET", "/metrics", "")
	problems, err := promlint.New(r.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsOfAVillage(t *testing.T) {
	v := newVillage()
	v.stats.Dead = 1
	v.stats.Namesakes = "2 living members are called ada"
	v.stats.Twin = netip.MustParseAddrPort("10.0.0.9:1")
	v.stats.Drops[0] = 12
	text := read(t, ask(handler(v), "GET", "/metrics", ""))
	for _, line := range []string{
		`hearsay_members{state="dead"} 1`,
		`hearsay_drops_total{reason="queue-full"} 12`,
		`hearsay_packets_total{direction="in"} 0`,
		`hearsay_joined 1`,
		`hearsay_twin 1`,
		`hearsay_namesakes 1`,
		`hearsay_build_info{version="v0.1.0"} 1`,
		`hearsay_start_time_seconds 1.7776224e+09`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// TestEveryFigureIsAMetric sets each field of the figures to a number of its
// own and finds all of them in what Prometheus gets.
func TestEveryFigureIsAMetric(t *testing.T) {
	const first = 90001 // no other metric has such a value
	v := newVillage()
	next := first
	set := func(field reflect.Value) {
		switch {
		case field.Type() == reflect.TypeFor[time.Time]():
			return // when the figures were taken is none
		case field.Type() == reflect.TypeFor[netip.AddrPort](), field.Kind() == reflect.String:
			return // it is no number: see TestMetricsOfAVillage
		case field.Kind() == reflect.String:
			return // nor is this
		case field.Kind() == reflect.Slice: // they are counted
			field.Set(reflect.MakeSlice(field.Type(), next, next))
		case field.CanInt():
			field.SetInt(int64(next))
		case field.CanUint():
			field.SetUint(uint64(next))
		case field.CanFloat():
			field.SetFloat(float64(next))
		default:
			t.Fatalf("a figure of type %s: say here how to set it", field.Type())
		}
		next++
	}
	stats := reflect.ValueOf(&v.stats).Elem()
	for i := range stats.NumField() {
		if field := stats.Field(i); field.Kind() == reflect.Array {
			for j := range field.Len() {
				set(field.Index(j))
			}
		} else {
			set(field)
		}
	}
	var got []int
	lines := bufio.NewScanner(ask(handler(v), "GET", "/metrics", "").Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "hearsay_") {
			if n, err := strconv.Atoi(value); err == nil && n >= first {
				got = append(got, n)
			}
		}
	}
	slices.Sort(got)
	for want := first; want < next; want++ {
		if !slices.Contains(got, want) {
			t.Errorf("figure %d of hearsay.Stats, in its order, is no metric", want-first)
		}
	}
	if len(got) != next-first {
		t.Errorf("%d metrics for %d figures", len(got), next-first)
	}
}
