package identity

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func attrs(kv ...string) pcommon.Map {
	m := pcommon.NewMap()
	for i := 0; i < len(kv); i += 2 {
		m.PutStr(kv[i], kv[i+1])
	}
	return m
}

func of(m pcommon.Map) ID { h, _ := Hash{}.Attributes(m, nil); return h.ID() }

func TestOrderOfAttributesDoesNotMatter(t *testing.T) {
	t.Parallel()
	require.Equal(t, of(attrs("a", "1", "b", "2", "c", "3")), of(attrs("c", "3", "a", "1", "b", "2")))
}

func TestWhatDiffersIsAnotherSeries(t *testing.T) {
	t.Parallel()
	ids := map[ID]string{}
	add := func(name string, id ID) {
		other, taken := ids[id]
		require.False(t, taken, "%s is taken for %s", name, other)
		ids[id] = name
	}
	add("none", of(attrs()))
	add("a=1", of(attrs("a", "1")))
	add("a=2", of(attrs("a", "2")))
	add("b=1", of(attrs("b", "1")))
	add("a=b", of(attrs("a", "b")))
	add("b=a", of(attrs("b", "a")))
	add("a=1,b=1", of(attrs("a", "1", "b", "1")))
	add("a=1b=1", of(attrs("a", "1b=1")))
	add("empty", of(attrs("a", "")))
	put := func(name string, f func(pcommon.Map)) { m := pcommon.NewMap(); f(m); add(name, of(m)) }
	put("int 1", func(m pcommon.Map) { m.PutInt("a", 1) })
	put("double 1", func(m pcommon.Map) { m.PutDouble("a", 1) })
	put("true", func(m pcommon.Map) { m.PutBool("a", true) })
	put("false", func(m pcommon.Map) { m.PutBool("a", false) })
	put("null", func(m pcommon.Map) { m.PutEmpty("a") })
	put("bytes", func(m pcommon.Map) { m.PutEmptyBytes("a").FromRaw([]byte("1")) })
	put("slice", func(m pcommon.Map) { m.PutEmptySlice("a").AppendEmpty().SetStr("1") })
	put("map", func(m pcommon.Map) { m.PutEmptyMap("a").PutStr("1", "") })
	for i := range 100_000 {
		add(fmt.Sprint("host", i), of(attrs("host", fmt.Sprint("host-", i))))
	}
}

func TestASkippedAttributeIsATagAndNoPartOfTheIdentity(t *testing.T) {
	t.Parallel()
	skip := func(k string) bool { return k == "load" }
	a, ta := Hash{}.Attributes(attrs("x", "1", "load", "1"), skip)
	b, tb := Hash{}.Attributes(attrs("x", "1", "load", "2"), skip)
	c, tc := Hash{}.Attributes(attrs("x", "1"), skip)
	require.Equal(t, a.ID(), b.ID())
	require.Equal(t, a.ID(), c.ID())
	require.NotEqual(t, ta, tb)
	require.Zero(t, tc)
}

func TestShardsAreFilledEvenly(t *testing.T) {
	t.Parallel()
	var n [64]int
	for i := range 64_000 {
		n[of(attrs("host", strconv.Itoa(i))).Shard(64)]++
	}
	for _, c := range n {
		require.InDelta(t, 1000, c, 200)
	}
}

func TestAllocatesNothing(t *testing.T) {
	m := attrs("host.name", "a-host-of-some-length", "service.name", "checkout", "http.route", "/api/v1/items")
	skip := func(string) bool { return false }
	require.Zero(t, testing.AllocsPerRun(100, func() { h, _ := Hash{}.Attributes(m, skip); _ = h.ID() }))
}

func BenchmarkAttributes(b *testing.B) {
	m := attrs("host.name", "a-host-of-some-length", "service.name", "checkout", "http.route", "/api/v1/items")
	b.ReportAllocs()
	for b.Loop() {
		h, _ := Hash{}.Attributes(m, nil)
		_ = h.ID()
	}
}
