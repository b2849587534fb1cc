package cleaning

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

// withhold removes from a dataset's map the values of columns that its tags
// call personal. Counts stay.
func withhold(d *event.Dataset, m pcommon.Map) {
	personal := d.Personal()
	if personal.Empty() {
		return
	}
	for _, place := range []string{"facets", "inputFacets"} {
		facets, ok := object(m, place)
		if !ok {
			continue
		}
		if metrics, ok := object(facets, "dataQualityMetrics"); ok {
			if columns, ok := object(metrics, "columnMetrics"); ok {
				for name, v := range columns.All() {
					if personal.Has(name) && v.Type() == pcommon.ValueTypeMap {
						for _, key := range []string{"sum", "min", "max", "quantiles"} {
							v.Map().Remove(key)
						}
					}
				}
			}
		}
		if assertions, ok := object(facets, "dataQualityAssertions"); ok {
			withholdAssertions(personal, assertions)
		}
	}
}

func withholdAssertions(personal event.Columns, facet pcommon.Map) {
	list, ok := facet.Get("assertions")
	if !ok || list.Type() != pcommon.ValueTypeSlice {
		return
	}
	for i := range list.Slice().Len() {
		v := list.Slice().At(i)
		if v.Type() != pcommon.ValueTypeMap {
			continue
		}
		name := ""
		if column, ok := v.Map().Get("column"); ok {
			name = column.AsString()
		}
		if personal.Has(name) {
			for _, key := range []string{"expected", "actual", "content", "params"} {
				v.Map().Remove(key)
			}
		}
	}
}

func object(m pcommon.Map, key string) (pcommon.Map, bool) {
	v, ok := m.Get(key)
	if !ok || v.Type() != pcommon.ValueTypeMap {
		return pcommon.Map{}, false
	}
	return v.Map(), true
}
