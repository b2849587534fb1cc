package ledger

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Unix(1_800_000_000, 0).UTC()

func task(i int) Key { return Key{DAG: "d", Run: "r", Task: strconv.Itoa(i), MapIndex: -1} }

func TestTheLimitForgetsWhatEndedFirst(t *testing.T) {
	t.Parallel()
	l := New(100)
	for i := range 100 {
		l.Put(task(i), Entry{State: "x", Ended: i%2 == 0, Seen: epoch.Unix() + int64(i)})
	}
	assert.Zero(t, l.Evicted())
	l.Put(task(100), Entry{State: "running", Seen: epoch.Unix() + 100})
	assert.Equal(t, 90, l.Len())
	assert.Equal(t, 11, l.Evicted())
	assert.Zero(t, l.Evicted())
	_, ok := l.Get(task(0))
	assert.False(t, ok, "ended, and the longest unseen")
	_, ok = l.Get(task(1))
	assert.True(t, ok, "has not ended")
	_, ok = l.Get(task(98))
	assert.True(t, ok, "ended, but lately")
	_, ok = l.Get(task(100))
	assert.True(t, ok)
}

func TestPruneAndUnseen(t *testing.T) {
	t.Parallel()
	l := New(100)
	run := Key{DAG: "d", Run: "r"}
	l.Put(run, Entry{State: "running", Seen: epoch.Unix()})
	l.Put(task(1), Entry{State: "running", Seen: epoch.Unix()})
	l.Put(task(2), Entry{State: "success", Ended: true, Seen: epoch.Unix()})
	later := epoch.Add(time.Minute)
	l.Prune(later)
	assert.Equal(t, 2, l.Len())
	assert.Equal(t, []Key{task(1)}, l.Unseen(later, true, 10))
	assert.Equal(t, []Key{run}, l.Unseen(later, false, 10))
	assert.Empty(t, l.Unseen(epoch, true, 10))
	assert.Empty(t, l.Unseen(later, true, 0))
	l.Forget(run)
	assert.Empty(t, l.Unseen(later, false, 10))
}

func TestCursorsDoNotGoBack(t *testing.T) {
	t.Parallel()
	l := New(1)
	l.Advance(Runs, epoch)
	l.Advance(Runs, epoch.Add(-time.Hour))
	assert.Equal(t, epoch, l.Cursor(Runs))
	assert.True(t, l.Cursor(Tasks).IsZero())
}

func TestSaveAndRestore(t *testing.T) {
	t.Parallel()
	l := New(100)
	l.Put(Key{DAG: "d", Run: "r"}, Entry{State: "success", Ended: true, Stamp: 1, Seen: 3})
	l.Put(Key{DAG: "d", Run: "r", Task: "t", MapIndex: 7}, Entry{State: "running", Try: 2, Told: 1, Seen: 3})
	l.PutImportError("b/f.py", ImportError{File: "f.py", Fingerprint: "x", First: epoch})
	l.Advance(Tasks, epoch)
	cursors, rest, err := l.Save()
	require.NoError(t, err)
	require.NotNil(t, rest)

	again := New(100)
	require.NoError(t, again.Restore(cursors, rest))
	assert.Equal(t, l.entries, again.entries)
	assert.Equal(t, l.ImportErrors(), again.ImportErrors())
	assert.Equal(t, epoch, again.Cursor(Tasks))

	// What did not change is not written again, above all while nothing happens.
	l.Saved()
	e, _ := l.Get(Key{DAG: "d", Run: "r", Task: "t", MapIndex: 7})
	e.Seen++
	l.Put(Key{DAG: "d", Run: "r", Task: "t", MapIndex: 7}, e)
	_, rest2, err := l.Save()
	require.NoError(t, err)
	assert.Nil(t, rest2)
	l.DropImportError("b/f.py")
	_, rest2, err = l.Save()
	require.NoError(t, err)
	assert.NotNil(t, rest2)

	for name, bad := range map[string][2]string{
		"cursors": {"{", string(rest)}, "entries": {string(cursors), "{"}, "version": {string(cursors), `{"version":99}`},
	} {
		require.ErrorContains(t, again.Restore([]byte(bad[0]), []byte(bad[1])), name)
		assert.Equal(t, 2, again.Len(), "as it was")
	}

	// A smaller limit, and keys that are none.
	small := New(1)
	require.NoError(t, small.Restore(cursors, rest))
	assert.Equal(t, 1, small.Len())
	require.NoError(t, small.Restore(cursors, []byte(`{"version":1,"entries":{"a":{},"a\u001fb\u001fc\u001fx":{}}}`)))
	assert.Zero(t, small.Len())
}
