// Package dataqualityreceiver measures named tables of PostgreSQL and SQLite:
// how many rows they have, how new they are, what each load brought, which keys
// stand in them twice, and which columns they have.
//
// Each database has a loop of its own, so that one that hangs holds up no other,
// and each table costs one read-only statement for each poll. Only aggregates
// leave the database. A measurement that fails gives no value at all: neither a
// count nor an age is ever 0 because something went wrong.
package dataqualityreceiver

//go:generate mdatagen metadata.yaml
