// Package runs puts the events of each run together: who it is, when it
// started, what it touched, how it ended. Events may come in any order, twice,
// or never.
package runs
