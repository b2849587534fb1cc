package fleet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/identity"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

const header = 1 + 4 + 4 // version, number of series, checksum of what follows

// ErrVersion is returned for a snapshot that another version wrote.
var ErrVersion = errors.New("snapshot was written by another version: its series learn anew")

var errDamaged = errors.New("snapshot is damaged: its series learn anew")

// Snapshot appends the state of a shard to b. ok is false where nothing has
// changed since the last one. The shard is locked only while this runs.
func (f *Fleet) Snapshot(shard int, b []byte) (out []byte, ok bool) {
	sh := &f.shards[shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.dirty {
		return b, false
	}
	sh.dirty = false
	from := len(b)
	b = append(b, series.Version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sh.index)))
	b = append(b, 0, 0, 0, 0)
	for i := range sh.used {
		sl := sh.at(i)
		if !sl.taken {
			continue
		}
		b = append(b, sl.id[:]...)
		b = binary.LittleEndian.AppendUint64(b, uint64(sl.seen))
		b = sl.series.AppendState(b)
	}
	binary.LittleEndian.PutUint32(b[from+5:], crc32.ChecksumIEEE(b[from+header:]))
	return b, true
}

// Unsaved says that the last snapshot of a shard did not reach storage, so that the next one is not left out.
func (f *Fleet) Unsaved(shard int) {
	sh := &f.shards[shard]
	sh.mu.Lock()
	sh.dirty = true
	sh.mu.Unlock()
}

// Restore reads a snapshot into the fleet and returns the number of series
// that it held. Series that the fleet has already are left alone. A damaged
// snapshot yields the series before the damage.
func (f *Fleet) Restore(b []byte) (int, error) {
	if len(b) < header {
		return 0, errDamaged
	}
	if b[0] != series.Version {
		return 0, fmt.Errorf("version %d, want %d: %w", b[0], series.Version, ErrVersion)
	}
	n, sum := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])
	b = b[header:]
	if crc32.ChecksumIEEE(b) != sum {
		return 0, errDamaged
	}
	for i := range int(n) {
		var id identity.ID
		if len(b) < len(id)+8 {
			return i, errDamaged
		}
		copy(id[:], b)
		seen := int64(binary.LittleEndian.Uint64(b[len(id):]))
		var s series.Series
		rest, err := s.Restore(b[len(id)+8:])
		if err != nil {
			return i, err
		}
		b = rest
		f.put(id, seen, s)
	}
	return int(n), nil
}

func (f *Fleet) put(id identity.ID, seen int64, s series.Series) {
	sh := &f.shards[id.Shard(Shards)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.index[id]; ok {
		return
	}
	i, ok := f.room(sh, seen)
	if !ok {
		return
	}
	sh.index[id] = i
	*sh.at(i) = slot{id: id, seen: seen, taken: true, series: s}
	f.live.Add(1)
	f.count(&s, false, false)
}
