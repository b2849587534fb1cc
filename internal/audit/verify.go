package audit

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// maxProblems bounds a report: after one record too many, every later one is wrong.
const maxProblems = 100

// pageSize is how many records are read at a time.
const pageSize = 1000

// Kind of a problem. The list is closed.
type Kind string

const (
	// Changed: a record, its payload or its place is not what its stored hash says.
	Changed Kind = "changed"
	// Missing: there is no record of that index.
	Missing Kind = "missing"
	// Truncated: a checkpoint was signed over records that are no longer there.
	Truncated Kind = "truncated"
	// Rewritten: records differ from those that a checkpoint was signed over, though
	// they agree with the stored hashes.
	Rewritten Kind = "rewritten"
	// Erased: a payload is gone and no record says that it was erased.
	Erased Kind = "erased"
	// BadCheckpoint: a checkpoint is not signed by the key, or not what it is stored as.
	BadCheckpoint Kind = "bad_checkpoint"
)

// Problem is one thing that is wrong, somewhere in the records From to To, both
// inclusive. From is -1 where it lies in no record.
type Problem struct {
	Kind   Kind   `json:"kind"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Detail string `json:"detail"`
}

// Report is what Verify found.
type Report struct {
	Size        int64     `json:"size"`        // records
	Root        string    `json:"root"`        // of the tree over them, recomputed
	Signed      int64     `json:"signed"`      // records under some valid checkpoint that agrees
	Checkpoints int       `json:"checkpoints"` // stored ones that agree
	External    int       `json:"external"`    // those kept elsewhere that agree
	Erased      int64     `json:"erased"`      // payloads that were erased, on record
	Problems    []Problem `json:"problems"`    // by record; the first 100
	More        int       `json:"more"`        // problems beyond those
}

// OK reports whether nothing is wrong. Records beyond Signed can be cut off without
// being missed: a caller may want Signed to be Size.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// FirstBad is the index of the first record that is wrong, or the first of a range
// that holds it; -1: none.
func (r *Report) FirstBad() int64 {
	for _, p := range r.Problems {
		if p.From >= 0 {
			return p.From
		}
	}
	return -1
}

func (r *Report) add(p Problem) {
	if len(r.Problems) == maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}

// head is a checkpoint that was read.
type head struct {
	tlog.Tree
	name     string
	external bool
}

// Verify recomputes the tree from the records alone and compares it with the stored
// hashes, the stored checkpoints and those kept elsewhere. An error means that it
// could not be done; what is wrong is in the report. Whoever can write the folder
// can also sign: only checkpoints kept elsewhere prove anything against them.
func Verify(ctx context.Context, r store.Reader, verifier note.Verifier, external [][]byte) (Report, error) {
	v := verification{r: r, gone: map[int64]bool{}, report: Report{Problems: []Problem{}}}
	if err := v.collect(verifier, external); err != nil {
		return v.report, err
	}
	size, err := r.AuditSize()
	if err != nil {
		return v.report, err
	}
	v.report.Size = size
	v.meet(0)
	for from := int64(0); from < size; {
		if err := ctx.Err(); err != nil {
			return v.report, err
		}
		next, err := v.page(from, size)
		if err != nil {
			return v.report, err
		}
		from = next
	}
	v.finish()
	return v.report, nil
}

type verification struct {
	r      store.Reader
	heads  []head // by size
	report Report

	stack  []tlog.Hash    // roots of the complete subtrees, largest first
	good   int64          // records under the last checkpoint that agreed
	broken bool           // a record is missing: no later root can be computed
	differ bool           // a stored node differs from the computed one
	gone   map[int64]bool // payloads that are missing and not yet explained
}

// collect reads the checkpoints.
func (v *verification) collect(verifier note.Verifier, external [][]byte) error {
	stored, err := v.r.Checkpoints(0)
	if err != nil {
		return err
	}
	for _, c := range stored {
		name := fmt.Sprintf("the stored checkpoint of size %d", c.Size)
		t, err := openCheckpoint(c.Signed, verifier)
		switch {
		case err != nil:
			v.report.add(Problem{BadCheckpoint, -1, -1, fmt.Sprintf("%s: %v", name, err)})
		case t.N != c.Size:
			v.report.add(Problem{BadCheckpoint, -1, -1, fmt.Sprintf("%s: it was signed for size %d", name, t.N)})
		default:
			v.heads = append(v.heads, head{t, name, false})
		}
	}
	for i, signed := range external {
		name := fmt.Sprintf("external checkpoint %d", i+1)
		t, err := openCheckpoint(signed, verifier)
		if err != nil {
			v.report.add(Problem{BadCheckpoint, -1, -1, fmt.Sprintf("%s: %v", name, err)})
			continue
		}
		v.heads = append(v.heads, head{t, fmt.Sprintf("%s of size %d", name, t.N), true})
	}
	slices.SortStableFunc(v.heads, func(a, b head) int { return int(min(max(a.N-b.N, -1), 1)) })
	return nil
}

// page verifies the records from from on and returns where the next page begins.
func (v *verification) page(from, size int64) (int64, error) {
	records, err := v.r.Audit(from, pageSize)
	if err != nil {
		return 0, err
	}
	if len(records) == 0 {
		v.missing(from, size-1)
		return size, nil
	}
	for _, rec := range records {
		if rec.Index > from {
			v.missing(from, rec.Index-1)
		}
		from = rec.Index + 1
		if err := v.record(rec); err != nil {
			return 0, err
		}
	}
	return from, nil
}

func (v *verification) missing(from, to int64) {
	v.broken = true
	v.report.add(Problem{Missing, from, to, "the log has a gap"})
}

// record verifies one record and adds it to the tree.
func (v *verification) record(rec store.AuditRecord) error {
	v.payload(rec)
	leaf, err := Leaf(rec)
	if err != nil {
		return err
	}
	node := tlog.RecordHash(leaf)
	nodes := []tlog.Hash{node}
	if v.broken {
		// Its own hash can still be compared, for it names its place.
		v.compare(rec.Index, nodes)
		return nil
	}
	// As many subtrees are complete as the index ends in ones.
	for range bits.TrailingZeros64(uint64(rec.Index) + 1) {
		node = tlog.NodeHash(v.stack[len(v.stack)-1], node)
		v.stack = v.stack[:len(v.stack)-1]
		nodes = append(nodes, node)
	}
	v.stack = append(v.stack, node)
	v.compare(rec.Index, nodes)
	v.meet(rec.Index + 1)
	return nil
}

// payload compares a payload with its commitment.
func (v *verification) payload(rec store.AuditRecord) {
	wrong := func(detail string) { v.report.add(Problem{Changed, rec.Index, rec.Index, detail}) }
	switch {
	case !utf8.ValidString(rec.Actor) || !utf8.ValidString(rec.Kind) || !utf8.ValidString(rec.Subject):
		wrong("it holds bytes that are no text")
	case rec.Salt == nil && rec.Data == nil:
		v.gone[rec.Index] = true
	case len(rec.Salt) != SaltSize:
		wrong("its salt has the wrong length")
	case !bytes.Equal(Commit(rec.Salt, rec.Data), rec.Commitment):
		wrong("its payload is not the one that was committed to")
	}
	if rec.Kind == eraseKind {
		if index, err := strconv.ParseInt(rec.Subject, 10, 64); err == nil && v.gone[index] {
			delete(v.gone, index)
			v.report.Erased++
		}
	}
}

// compare compares the nodes that a record completes, from its leaf upwards, with
// those stored for it.
func (v *verification) compare(index int64, nodes []tlog.Hash) {
	at := make([]int64, len(nodes))
	for level := range nodes {
		at[level] = tlog.StoredHashIndex(level, index>>level)
	}
	stored, err := v.r.AuditHashes(at)
	if err != nil {
		v.differ = true
		v.report.add(Problem{Changed, index, index, "its hash cannot be read: " + err.Error()})
		return
	}
	for level := range nodes {
		switch {
		case stored[level] == nodes[level]:
		case level == 0:
			v.differ = true
			v.report.add(Problem{Changed, index, index, "it does not have the hash that is stored for it"})
			return
		case !v.differ: // nodes above one that is known to differ say nothing new
			v.differ = true
			v.report.add(Problem{Changed, index >> level << level, index, "together they do not have the hash that is stored for them"})
			return
		}
	}
}

// meet compares the tree of the given size with the checkpoints of that size.
func (v *verification) meet(size int64) {
	for len(v.heads) > 0 && v.heads[0].N == size {
		h := v.heads[0]
		v.heads = v.heads[1:]
		if v.root(size) == h.Hash {
			v.good = size
			v.count(h)
			continue
		}
		// Where a record after the last checkpoint was found to be wrong by itself, that is the finding.
		if v.report.FirstBad() < v.good {
			v.report.add(Problem{Rewritten, v.good, max(size-1, v.good), h.name + " was signed over other records"})
		}
	}
}

func (v *verification) count(h head) {
	if h.external {
		v.report.External++
	} else {
		v.report.Checkpoints++
	}
}

// root is the hash of the whole tree (RFC 6962, section 2.1).
func (v *verification) root(size int64) tlog.Hash {
	if size == 0 {
		empty, _ := tlog.TreeHash(0, nil) // reads nothing
		return empty
	}
	h := v.stack[len(v.stack)-1]
	for i := len(v.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(v.stack[i], h)
	}
	return h
}

// finish reports what was left over at the end of the log.
func (v *verification) finish() {
	size := v.report.Size
	v.report.Signed = v.good
	if !v.broken {
		v.report.Root = v.root(size).String()
	}
	for _, h := range v.heads {
		if h.N > size {
			v.report.add(Problem{Truncated, size, h.N - 1, fmt.Sprintf("%s covers more than the %d records that are there: cut off, or rolled back to an older copy", h.name, size)})
		}
	}
	lost := make([]int64, 0, len(v.gone))
	for index := range v.gone {
		lost = append(lost, index)
	}
	slices.Sort(lost)
	for _, index := range lost {
		v.report.add(Problem{Erased, index, index, "its payload is gone and no record says who erased it"})
	}
	slices.SortStableFunc(v.report.Problems, func(a, b Problem) int { return int(min(max(a.From-b.From, -1), 1)) })
}
