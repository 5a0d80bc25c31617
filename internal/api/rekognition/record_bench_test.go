package rekognition_test

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
)

// cpuTime is what the process has computed so far, the client of a benchmark included.
func cpuTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkAudit measures calls of ListCollections, many at once, without an audit log, with one,
// and with one that is required.
func BenchmarkAudit(b *testing.B) {
	for _, c := range []struct {
		name     string
		sync     audit.Sync
		required bool
	}{
		{"none", 0, false},
		{"synced each second", audit.DefaultSync, false},
		{"required", audit.SyncAlways, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := openWith(b, enginetest.Engine("1.0"), func(cfg *rekognition.Config) {
				cfg.Log = slog.New(slog.DiscardHandler)
				if c.name == "none" {
					return
				}
				log, err := audit.Open(b.Context(), audit.Config{Required: c.required, Log: cfg.Log,
					Folder: &audit.FolderConfig{Dir: b.TempDir(), MaxAge: time.Hour,
						MaxBytes: audit.DefaultMaxBytes, Sync: c.sync}})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { log.Close() })
				cfg.Trail = trail.New(log, "us-east-1")
			}, func(*httptest.Server) {})
			request := d.raw(b, "ListCollections", []byte("{}"))
			b.SetParallelism(16)
			b.ResetTimer()
			before := cpuTime(b)
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				r := bufio.NewReader(conn)
				for pb.Next() {
					if _, err := conn.Write(request); err != nil {
						b.Error(err)
						return
					}
					resp, err := http.ReadResponse(r, nil)
					if err != nil || resp.StatusCode != http.StatusOK || resp.Body.Close() != nil {
						b.Errorf("%v, %v", resp, err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/call")
		})
	}
}
