// Command cmd runs a stand-in of an earlier program: go run ./test/standin/cmd p1-seed --ip 127.0.0.1 --port 5001.
// Package standin says which there are.
package main

import (
	"os"

	"hearsay/test/standin"
)

func main() { os.Exit(standin.Main(os.Args[1:])) }
