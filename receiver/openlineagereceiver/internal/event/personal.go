package event

import "strings"

// Columns is a set of a dataset's columns.
type Columns struct {
	all   bool
	names map[string]bool
}

// Empty reports whether no column is in it.
func (c Columns) Empty() bool { return !c.all && len(c.names) == 0 }

// Has reports whether a column is in it. An assertion without a column is about
// the whole dataset; it is in as soon as any column is.
func (c Columns) Has(column string) bool {
	return c.all || c.names[column] || column == "" && len(c.names) > 0
}

// Personal are the columns that the tags facet calls PII, PHI or PCI, by the
// tag's key or value. A tag without a field is about all columns.
func (d *Dataset) Personal() Columns {
	var c Columns
	t := d.Facets.Tags
	if t == nil || t.Deleted {
		return c
	}
	for i := range t.Tags {
		tag := &t.Tags[i]
		if strings.EqualFold(tag.Value, "false") || !personalWord(tag.Key) && !personalWord(tag.Value) {
			continue
		}
		if tag.Field == "" {
			c.all = true
			continue
		}
		if c.names == nil {
			c.names = map[string]bool{}
		}
		c.names[tag.Field] = true
	}
	return c
}

func personalWord(s string) bool {
	switch strings.ToLower(s) {
	case "pii", "phi", "pci":
		return true
	}
	return false
}
