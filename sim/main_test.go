package sim

import (
	cryptorand "crypto/rand"
	"os"
	"runtime/debug"
	"testing"
)

// noReader panics: whatever draws from the process's own source is not the same in another run.
type noReader struct{}

func (noReader) Read([]byte) (int, error) { panic("drawn outside of a seed's step, see drawsFrom") }

// Small worlds leave much garbage and little that lives: to collect it a quarter as often takes
// a quarter less of the processor. Large ones need the room: past the limit it is collected as often as it must.
func TestMain(m *testing.M) {
	cryptorand.Reader = noReader{}
	if os.Getenv(largeVariable) == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(2 << 30)
	}
	os.Exit(m.Run())
}
