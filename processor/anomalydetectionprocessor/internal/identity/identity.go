// Package identity gives a series a name of 16 bytes: a hash of its resource,
// scope, metric and point attributes that does not depend on the order of
// attributes and costs no allocation.
package identity

import (
	"encoding/binary"
	"math"
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// ID is the identity of a series.
type ID [16]byte

// Hash is an identity in the making: two words that are mixed independently.
type Hash struct{ a, b uint64 }

const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
)

func avalanche(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// word mixes one word into the hash; the order of words matters.
func (h Hash) word(w uint64) Hash {
	hi, lo := bits.Mul64(h.a^w^prime1, prime2^h.b)
	h.a = bits.RotateLeft64(h.a*prime3+w, 31) ^ hi
	h.b = avalanche(h.b + w*prime2 + lo)
	return h
}

// Text mixes a string in, with its length.
func (h Hash) Text(s string) Hash {
	h = h.word(uint64(len(s)) ^ prime3)
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = h.word(w)
		s = s[8:]
	}
	if len(s) > 0 {
		var w uint64
		for i := range len(s) {
			w |= uint64(s[i]) << (8 * i)
		}
		h = h.word(w)
	}
	return h
}

// Number mixes a number in.
func (h Hash) Number(n uint64) Hash { return h.word(n) }

// Attributes mixes a map in; its order does not matter. Keys for which skip
// returns true are left out of the hash and mixed into the returned tag
// instead, which is 0 where there are none.
func (h Hash) Attributes(m pcommon.Map, skip func(string) bool) (Hash, uint32) {
	var a, b, tag uint64
	n := 0
	for k, v := range m.All() {
		e := value(Hash{a: prime1, b: prime2}.Text(k), v)
		if skip != nil && skip(k) {
			tag += avalanche(e.a ^ e.b)
			continue
		}
		// A sum does not depend on the order; each entry is avalanched before, so that sums do not cancel.
		a += avalanche(e.a)
		b += avalanche(e.b + prime3)
		n++
	}
	t := uint32(tag ^ tag>>32)
	if tag != 0 && t == 0 {
		t = 1
	}
	return h.word(uint64(n)).word(a).word(b), t
}

// maxDepth bounds the descent into nested values; what lies deeper does not tell series apart.
const maxDepth = 16

func value(h Hash, v pcommon.Value) Hash { return valueAt(h, v, 0) }

func valueAt(h Hash, v pcommon.Value, depth int) Hash {
	h = h.word(uint64(v.Type()) + 1)
	if depth > maxDepth {
		return h
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return h.Text(v.Str())
	case pcommon.ValueTypeInt:
		return h.word(uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return h.word(math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return h.word(1)
		}
		return h.word(0)
	case pcommon.ValueTypeBytes:
		bs := v.Bytes()
		h = h.word(uint64(bs.Len()))
		for i := range bs.Len() {
			h = h.word(uint64(bs.At(i)))
		}
		return h
	case pcommon.ValueTypeSlice:
		s := v.Slice()
		h = h.word(uint64(s.Len()))
		for i := range s.Len() {
			h = valueAt(h, s.At(i), depth+1)
		}
		return h
	case pcommon.ValueTypeMap:
		var a, b uint64
		for k, e := range v.Map().All() {
			x := valueAt(Hash{a: prime1, b: prime2}.Text(k), e, depth+1)
			a += avalanche(x.a)
			b += avalanche(x.b + prime3)
		}
		return h.word(uint64(v.Map().Len())).word(a).word(b)
	default:
		return h
	}
}

// ID returns the identity.
func (h Hash) ID() ID {
	var id ID
	binary.LittleEndian.PutUint64(id[:8], avalanche(h.a^bits.RotateLeft64(h.b, 17)))
	binary.LittleEndian.PutUint64(id[8:], avalanche(h.b+h.a*prime1))
	return id
}

// Shard returns a number below n, which is a power of two, that spreads identities evenly.
func (id ID) Shard(n int) int { return int(id[0]) & (n - 1) }
