package web

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hearsay"
	"hearsay/guest"
)

// metrics answers with the node's figures, read at each scrape, and those of
// the Go runtime and the process.
func metrics(b Backend, info Info, p4 *guest.P4) func(http.ResponseWriter, *http.Request) *problem {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(b, info),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hearsay_p4_guests", Help: "Guests that speak an earlier program's HTTP (p4), those held dead, too."},
			func() float64 { return float64(len(p4.Guests())) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hearsay_p4_refused_total", Help: "What such sent that was not taken: senseless, or too much."},
			func() float64 { return float64(p4.Refused()) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) *problem {
		scrape.ServeHTTP(w, r)
		return nil
	}
}

// family is the metrics of one name: a field of hearsay.Stats, or several, told apart by a label.
type family struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	fields []labelled
}

// labelled is a field of hearsay.Stats, and its value of the family's label.
type labelled struct {
	index int
	value []string // empty where the family has no label
}

// families gives the figures of hearsay.Stats, in its order.
func families() (all []family) {
	stats := reflect.TypeFor[hearsay.Stats]()
	byName := make(map[string]int)
	for i := range stats.NumField() {
		tag := stats.Field(i).Tag
		name, label, _ := strings.Cut(tag.Get("metric"), " ")
		if name == "" {
			continue // it is no figure
		}
		label, value, fixed := strings.Cut(label, "=")
		at, ok := byName[name]
		if !ok {
			at = len(all)
			byName[name] = at
			f := family{kind: prometheus.GaugeValue}
			if strings.HasSuffix(name, "_total") {
				f.kind = prometheus.CounterValue
			}
			var labels []string
			if label != "" {
				labels = []string{label}
			}
			f.desc = prometheus.NewDesc("hearsay_"+name, tag.Get("help"), labels, nil)
			all = append(all, f)
		}
		one := labelled{index: i}
		if fixed {
			one.value = []string{value}
		}
		all[at].fields = append(all[at].fields, one)
	}
	return all
}

// read gives the family's metrics as of stats.
func (f *family) read(stats reflect.Value, out chan<- prometheus.Metric) {
	for _, of := range f.fields {
		field := stats.Field(of.index)
		if drops, ok := field.Interface().(hearsay.Drops); ok {
			for reason, n := range drops {
				out <- prometheus.MustNewConstMetric(f.desc, f.kind, float64(n), hearsay.Drop(reason).String())
			}
			continue
		}
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, number(field), of.value...)
	}
}

// number gives a figure as Prometheus has it: of a list its length, and of what is no number 1 if it
// is set.
func number(field reflect.Value) float64 {
	switch {
	case field.CanInt():
		return float64(field.Int())
	case field.CanUint():
		return float64(field.Uint())
	case field.CanFloat():
		return field.Float()
	case field.Kind() == reflect.Slice:
		return float64(field.Len())
	}
	return truth(!field.IsZero())
}

// truth is 1 or 0.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// collector gives the families of one node.
type collector struct {
	backend  Backend
	families []family
	joined   *prometheus.Desc
	quorum   *prometheus.Desc
	started  *prometheus.Desc
	build    *prometheus.Desc
	version  string

	logLost     *prometheus.Desc
	logLostRead func() uint64 // nil: not counted
}

func newCollector(b Backend, info Info) *collector {
	c := &collector{
		backend:  b,
		families: families(),
		joined:   prometheus.NewDesc("hearsay_joined", "1 once this node is in its network, else 0.", nil, nil),
		quorum:   prometheus.NewDesc("hearsay_quorum", "1 while a quorum of seeds is heard, so that somebody can be admitted or removed, else 0; absent in an open network.", nil, nil),
		started:  prometheus.NewDesc("hearsay_start_time_seconds", "When this node started, in Unix time.", nil, nil),
		build:    prometheus.NewDesc("hearsay_build_info", "1, with the version of the program.", []string{"version"}, nil),
		version:  info.Version,

		logLost:     prometheus.NewDesc("hearsay_log_lines_lost_total", "Lines of the log that could not be written: the reader stood still or was gone, or the disk was full.", nil, nil),
		logLostRead: info.LogLost,
	}
	return c
}

// Describe is of prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect is of prometheus.Collector. It may be called by several scrapes at
// once.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	stats := c.backend.Stats()
	for i := range c.families {
		c.families[i].read(reflect.ValueOf(&stats).Elem(), out)
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
