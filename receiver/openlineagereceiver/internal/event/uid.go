package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// UID identifies an event by its content.
type UID [16]byte

// String gives it in hexadecimal.
func (u UID) String() string { return hex.EncodeToString(u[:]) }

// uid hashes the event with sorted keys, each part with its type and length so
// that two events cannot run into each other.
func uid(body pcommon.Value) UID {
	return UID(sum(appendValue(make([]byte, 0, 4096), body)))
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:16]
}

// Derive gives the UID of something that follows from the event: the same part
// of the same event has the same UID.
func (u UID) Derive(part string) UID {
	return UID(sum(append(u[:], part...)))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v pcommon.Value) []byte {
	// 10 and 10.0 are one number.
	if v.Type() == pcommon.ValueTypeDouble {
		if f := v.Double(); f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return binary.BigEndian.AppendUint64(append(b, byte(pcommon.ValueTypeInt)), uint64(int64(f)))
		}
	}
	b = append(b, byte(v.Type()))
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(b, v.Str())
	case pcommon.ValueTypeInt:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case pcommon.ValueTypeSlice:
		s := v.Slice()
		b = binary.AppendUvarint(b, uint64(s.Len()))
		for i := range s.Len() {
			b = appendValue(b, s.At(i))
		}
	case pcommon.ValueTypeMap:
		type pair struct {
			key   string
			value pcommon.Value
		}
		pairs := make([]pair, 0, v.Map().Len())
		for key, value := range v.Map().All() {
			pairs = append(pairs, pair{key, value})
		}
		slices.SortFunc(pairs, func(x, y pair) int { return strings.Compare(x.key, y.key) })
		b = binary.AppendUvarint(b, uint64(len(pairs)))
		for _, p := range pairs {
			b = appendValue(appendString(b, p.key), p.value)
		}
	}
	return b
}
