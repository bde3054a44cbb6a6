package agent

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"hearsay/dialect"
	"hearsay/guest"
)

// A seed that speaks another language is asked seldom, and told of once, until a frame comes from it.
func TestForeignSeedIsAskedSeldom(t *testing.T) {
	for _, c := range []struct {
		answer string
		speaks guest.Language
		asked  int // within 15 s
		hourly int
	}{
		{"", guest.Text, 4, 65},
		{`{"type":"REGISTER_COMMIT","payload":{"success":false,"error":"bad"}}` + "\n", guest.Lines, 1, 62},
	} {
		synctest.Test(t, func(t *testing.T) {
			at, told, asked := netip.MustParseAddrPort("10.0.0.1:5001"), 0, 0
			l := newLanguages([]netip.AddrPort{at}, netip.AddrPort{}, func(netip.AddrPort, error) { told++ })
			look := func() error {
				must, err := l.mustAsk(at, time.Now())
				if !must {
					return err
				}
				asked++
				ours, theirs := net.Pipe()
				defer ours.Close()
				go func() {
					io.ReadFull(theirs, make([]byte, len(dialect.Question)))
					io.WriteString(theirs, c.answer)
					theirs.Close()
				}()
				return l.ask(t.Context(), ours, at)
			}
			began := time.Now()
			for ; time.Since(began) < time.Hour; time.Sleep(time.Second) {
				if err := look(); err == nil || err.Error() != c.speaks.ForeignError().Error() {
					t.Fatalf("%v, want %v", err, c.speaks.ForeignError())
				}
				if time.Since(began) == 15*time.Second && asked > c.asked {
					t.Errorf("asked %d times within 15 s, want %d", asked, c.asked)
				}
			}
			if asked > c.hourly || asked < 50 || told != 1 {
				t.Errorf("asked %d times within an hour, want %d, and told %d times, want once", asked, c.hourly, told)
			}
			l.heard(at)
			if must, err := l.mustAsk(at, time.Now()); must || err != nil || l.unknown.Load() != 0 {
				t.Errorf("a frame has come from it: must ask %t, %v", must, err)
			}
			l.lost(at)
			if must, err := l.mustAsk(at, time.Now()); !must || err != nil {
				t.Errorf("it is gone: must ask %t, %v", must, err)
			}
		})
	}
}

// No seed is not asked, and neither is one that is this node.
func TestOthersAreNotAsked(t *testing.T) {
	own, other := netip.MustParseAddrPort("10.0.0.1:5001"), netip.MustParseAddrPort("10.0.0.2:5001")
	l := newLanguages([]netip.AddrPort{own}, own, nil)
	for _, addr := range []netip.AddrPort{own, other} {
		if must, err := l.mustAsk(addr, time.Now()); must || err != nil {
			t.Errorf("%v: must ask %t, %v", addr, must, err)
		}
	}
}
