package dataqualityreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

// One poll of one table with times, loads and key, in WAL mode.
func BenchmarkPoll(b *testing.B) {
	for _, rows := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			w := newWarehouse(b, createOrders, `CREATE INDEX orders_batch ON orders (batch)`)
			for i := range min(rows, 10) {
				w.load(b, fmt.Sprintf("2026-11-24T%02d:00:00Z", i), rows/10, epoch.Add(time.Duration(i)*time.Hour))
			}
			cfg := w.config(orders)
			r, err := newReceiver(cfg, receivertest.NewNopSettings(metadata.Type), time.Now)
			require.NoError(b, err)
			r.metrics, r.logs, r.host = consumertest.NewNop(), consumertest.NewNop(), componenttest.NewNopHost()
			d := r.databases[0]
			require.NoError(b, d.open(cfg))
			b.Cleanup(func() { _ = d.close() })
			b.ReportAllocs()
			for b.Loop() {
				r.poll(b.Context(), d)
			}
			require.Empty(b, d.down)
		})
	}
}
