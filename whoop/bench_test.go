package whoop_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// BenchmarkSubmitReport sends reports of four observations over loopback, 16 at a time, to the
// sandbox in the same process.
func BenchmarkSubmitReport(b *testing.B) {
	api := sandbox.New(sandbox.Options{DropReports: true})
	url, err := api.Start("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	ids := make([]uuid.UUID, b.N)
	for i := range ids {
		orders := []sandbox.Order{{Code: "LIPID_PANEL", BusinessStatus: "APPOINTMENT_ATTENDED"}}
		if _, err := api.AddRequisition(sandbox.Requisition{ServiceRequests: orders}); err != nil {
			b.Fatal(err)
		}
		ids[i] = orders[0].ID
	}
	client, err := whoop.New(whoop.Options{
		BaseURL: url, ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		PerMinute: 1 << 30, PerDay: 1 << 30,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	report := whoop.Report{Status: whoop.ReportFinal}
	for _, code := range []string{"TOTAL_CHOLESTEROL", "HDL", "LDL", "TRIGLYCERIDES"} {
		report.Observations = append(report.Observations, whoop.Observation{
			Code: code, Numeric: "5.40", Unit: "mg/dL", Status: whoop.ObservationFinal,
		})
	}
	var next atomic.Int64
	ctx := context.Background()
	b.SetParallelism(8) // times GOMAXPROCS
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := client.Permit(ctx, whoop.Finals)
			if err != nil {
				b.Error(err)
				return
			}
			if a := client.SubmitReport(ctx, p, ids[next.Add(1)-1], report); a.Outcome != whoop.Sent {
				b.Errorf("%+v", a)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
