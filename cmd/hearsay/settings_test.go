package main

import (
	"log/slog"
	"strings"
	"testing"
)

// Variables that do nothing are told of, empty or not; the tests' own are neither told of nor advised.
func TestWarnOfVariables(t *testing.T) {
	for variable, want := range map[string]string{
		"HEARSAY_X=":       "There is no such setting",
		"HEARSAY_CUTE=1":   "There is no such setting",
		"HEARSAY_DATA=":    "is empty, so it sets nothing\" variable=HEARSAY_DATA",
		"HEARSAY_DATA=dir": "",
		"HEARSAY_NODE=":    "",
		"HEARSAY_CUT=":     "",
		"HEARSAY_CUT=1":    "",
	} {
		var told strings.Builder
		warnOfVariables(slog.New(slog.NewTextHandler(&told, nil)), []string{"HOME=", variable, "PATH=/bin"})
		if !strings.Contains(told.String(), want) || want == "" && told.Len() > 0 || strings.Contains(told.String(), "nearest is HEARSAY_CUT") {
			t.Errorf("%s: told %s, want %q", variable, told.String(), want)
		}
	}
}
