package audit_test

import "testing"

func BenchmarkVerify100k(b *testing.B) {
	l := newLedger(b)
	for range 100 {
		l.append(1000)
		l.sign()
	}
	b.ReportAllocs()
	for b.Loop() {
		if report := l.verify(l.away...); report.Signed != 100_000 {
			b.Fatal(report)
		}
	}
}
