package vision_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/vision"
)

const portrait = "lfw/images/Aaron_Guiel/Aaron_Guiel_0001.jpg"

// BenchmarkPhoto is the processing from bytes to vectors, with the mean time of each stage, beside
// the networks alone.
func BenchmarkPhoto(b *testing.B) {
	for _, picture := range []string{portrait, "group/cf_000_5.jpg"} {
		b.Run(filepath.Base(picture), func(b *testing.B) {
			data := read(b, picture)
			var mutex sync.Mutex
			took := map[vision.Stage]time.Duration{}
			e := newEngine(b, vision.Options{Observe: func(s vision.Stage, d time.Duration) {
				mutex.Lock()
				took[s] += d
				mutex.Unlock()
			}})
			for b.Loop() {
				photo := detect(b, e, data)
				indexes := make([]int, len(photo.Faces()))
				for i := range indexes {
					indexes[i] = i
				}
				if _, err := photo.Embed(context.Background(), indexes...); err != nil {
					b.Fatal(err)
				}
			}
			for stage, d := range took {
				b.ReportMetric(d.Seconds()*1000/float64(b.N), "ms-"+string(stage))
			}
		})
	}
	b.Run("bare networks", func(b *testing.B) {
		e := newEngine(b, vision.Options{})
		if _, err := detect(b, e, read(b, portrait)).Embed(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := e.RunNetworks(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
