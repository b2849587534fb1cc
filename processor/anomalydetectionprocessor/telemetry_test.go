package anomalydetectionprocessor

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
)

var ignoreTime = metricdatatest.IgnoreTimestamp()

func set(k, v string) attribute.Set { return attribute.NewSet(attribute.String(k, v)) }

// outcomesOf returns what the points metric must hold: pairs of an outcome and a number.
func outcomesOf(pairs ...any) []metricdata.DataPoint[int64] {
	var out []metricdata.DataPoint[int64]
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, metricdata.DataPoint[int64]{Value: int64(pairs[i+1].(int)), Attributes: set("outcome", pairs[i].(string))})
	}
	return out
}
