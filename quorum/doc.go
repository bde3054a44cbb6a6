// Package quorum is the seeds' authority over the roster.
package quorum
