// Package endtoend holds tests of the built programs, started as a user starts
// them, without any platform. `make test-endtoend` builds and runs them.
//
// SELFHEAL_COLLECTOR, SELFHEAL_COLLECTOR_SLIM and SELFHEAL_CLI name other
// programs than those in build/.
package endtoend
