package postgres_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

// BenchmarkAddFaces stores one face a call, each on disk before the call returns, in either store.
func BenchmarkAddFaces(b *testing.B) {
	faces := make([]face.Face, 1000)
	for i := range faces {
		faces[i] = storetest.NewFaceOf(512)
		faces[i].ExternalImageID = "benchmark"
	}
	for name, open := range map[string]func(b *testing.B) face.Store{
		"sqlite": func(b *testing.B) face.Store {
			s, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return s
		},
		"postgres": func(b *testing.B) face.Store {
			server := postgrestest.Start(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
			return openStore(b, server.NewDatabase(b))
		},
	} {
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("store=%s/callers=%d", name, callers), func(b *testing.B) {
				s := open(b)
				c, err := s.CreateCollection(b.Context(), face.Collection{Realm: home, ID: "c"},
					nil, 0)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				var working sync.WaitGroup
				for caller := range callers {
					working.Go(func() {
						for i := caller; i < b.N; i += callers {
							f := faces[i%len(faces)]
							f.ID, f.ImageID = uuid.NewString(), uuid.NewString()
							if _, _, err := s.AddFaces(b.Context(), c.Key, []face.Face{f},
								math.MaxInt64); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				working.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "faces/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkSince measures what a search reads of the database before it searches in memory: the
// position of a collection of 10,000 faces, and the vectors that came since, none or one.
func BenchmarkSince(b *testing.B) {
	server := postgrestest.Start(b, "fsync=on", "shared_buffers=256MB")
	s := openStore(b, server.NewDatabase(b))
	c, err := s.CreateCollection(b.Context(), face.Collection{Realm: home, ID: "c"}, nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	add := func(n int) {
		b.Helper()
		faces := make([]face.Face, n)
		for i := range faces {
			faces[i] = storetest.NewFaceOf(512)
		}
		if _, _, err := s.AddFaces(b.Context(), c.Key, faces, math.MaxInt64); err != nil {
			b.Fatal(err)
		}
	}
	for range 10 {
		add(1000)
	}
	var position face.Position
	for range s.FaceVectors().All(b.Context(), c.Key,
		func(p face.Position) { position = p }) {
	}
	for _, behind := range []int{0, 1} {
		b.Run(fmt.Sprintf("behind=%d", behind), func(b *testing.B) {
			for range b.N {
				if behind > 0 {
					b.StopTimer()
					add(behind)
					b.StartTimer()
				}
				n := 0
				position, err = s.FaceVectors().Since(b.Context(), c.Key, position,
					func(face.Embedding) error { n++; return nil })
				if err != nil || n != behind {
					b.Fatal(n, err)
				}
			}
		})
	}
}
