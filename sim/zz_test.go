package sim

import (
	"fmt"
	"os"
	"testing"
)

func TestZZ(t *testing.T) {
	var seed uint64
	fmt.Sscan(os.Getenv("ZZ"), &seed)
	c := DrawWorld(seed)
	os.WriteFile("/tmp/zz.txt", []byte(c.Text()), 0o644)
}
