// Package fleet holds the state of all series that one processor watches: a
// map from identity to series, cut into shards that each have a lock of their
// own, bounded in number, and written to and read from storage shard by shard.
package fleet
