package sqlite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// benchFaces have vectors of the usual length.
func benchFaces(n int) []face.Face {
	faces := newFaces(n)
	for i := range faces {
		v := make([]float32, 512)
		var norm float64
		for j := range v {
			v[j] = float32(rand.NormFloat64())
			norm += float64(v[j]) * float64(v[j])
		}
		for j := range v {
			v[j] /= float32(math.Sqrt(norm))
		}
		faces[i].Vector = v
		faces[i].ExternalImageID = "benchmark"
	}
	return faces
}

func fill(b *testing.B, s *Store, c face.CollectionKey, n int) (ids []string) {
	b.Helper()
	for n > 0 {
		stored, _, err := s.AddFaces(b.Context(), c, benchFaces(min(n, 1000)), 1<<40)
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range stored {
			ids = append(ids, f.ID)
		}
		n -= len(stored)
	}
	return ids
}

func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit+"/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAddFaces stores one face a call, each on disk before the call returns.
func BenchmarkAddFaces(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			dir := b.TempDir()
			s := mustOpen(b, dir)
			c := newCollection(b, s, "c")
			faces := benchFaces(1000)
			b.ResetTimer()
			var working sync.WaitGroup
			for caller := range callers {
				working.Go(func() {
					for i := caller; i < b.N; i += callers {
						f := faces[i%len(faces)]
						f.ID, f.ImageID = uuid.NewString(), uuid.NewString()
						if _, _,
							err := s.AddFaces(b.Context(), c, []face.Face{f}, 1<<40); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			working.Wait()
			perSecond(b, b.N, "faces")
			s.Close()
			if info, err := os.Stat(dir + "/" + DatabaseName); err == nil && b.N > 1000 {
				b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/face")
			}
		})
	}
}

// BenchmarkDeleteFaces deletes 4096 faces a call from a collection of 20,000.
func BenchmarkDeleteFaces(b *testing.B) {
	s := mustOpen(b, b.TempDir())
	c := newCollection(b, s, "c")
	ids := fill(b, s, c, 20000)
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	b.ResetTimer()
	for range b.N {
		if deleted, _, err := s.DeleteFaces(b.Context(), c, ids[:4096]); err != nil ||
			len(deleted) != 4096 {
			b.Fatal(len(deleted), err)
		}
		b.StopTimer()
		ids = append(ids[4096:], fill(b, s, c, 4096)...)
		b.StartTimer()
	}
	perSecond(b, 4096*b.N, "faces")
}

// BenchmarkCollections reads pages of 10 from the middle of a realm.
func BenchmarkCollections(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("of=%d", n), func(b *testing.B) {
			s := mustOpen(b, b.TempDir())
			realm := recollect.Realm{Account: "123456789012", Region: "us-east-1"}
			err := s.writer.do(b.Context(), func(t tx) error {
				for i := range n {
					if _,
						err := t.exec(
						"INSERT INTO collections (account, region, id, face_model_version, "+
							"created_ms) VALUES (?, ?, ?, '7.0', 0)",
						realm.Account, realm.Region, fmt.Sprintf("collection%06d", i)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			middle := fmt.Sprintf("collection%06d", n/2)
			b.ResetTimer()
			for range b.N {
				if page, err := s.Collections(b.Context(), realm, middle, 10); err != nil ||
					len(page) != 10 {
					b.Fatal(len(page), err)
				}
			}
			perSecond(b, b.N, "pages")
		})
	}
}

// BenchmarkFaces reads pages of 1000 faces.
func BenchmarkFaces(b *testing.B) {
	s := mustOpen(b, b.TempDir())
	c := newCollection(b, s, "c")
	fill(b, s, c, 5000)
	b.ResetTimer()
	for range b.N {
		if page, err := s.Faces(b.Context(), c, face.FaceFilter{}, 1000); err != nil ||
			len(page) != 1000 {
			b.Fatal(len(page), err)
		}
	}
	perSecond(b, 1000*b.N, "faces")
}

// BenchmarkEmbeddings reads a whole collection.
func BenchmarkEmbeddings(b *testing.B) {
	const n = 20000
	s := mustOpen(b, b.TempDir())
	c := newCollection(b, s, "c")
	fill(b, s, c, n)
	b.ResetTimer()
	for range b.N {
		got := 0
		for _, err := range s.Embeddings(b.Context(), c) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatal(got)
		}
	}
	perSecond(b, n*b.N, "vectors")
}

// BenchmarkChangeUser takes one face away from a user and gives it back, a change each.
func BenchmarkChangeUser(b *testing.B) {
	for _, members := range []int{2, 10, 100} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("faces=%d/callers=%d", members, callers), func(b *testing.B) {
				s := mustOpen(b, b.TempDir())
				c := newCollection(b, s, "c")
				faces := make([][]string, callers)
				for i := range faces {
					faces[i] = fill(b, s, c, members)
					addUser(b, s, c, fmt.Sprint("u", i), recollect.Once{}, faces[i]...)
				}
				toggle := func(state face.UserState) (face.UserChange, error) {
					vectors := make([][]float32, len(state.Members))
					for i, m := range state.Members {
						vectors[i] = m.Vector
					}
					change := face.UserChange{Vector: face.Aggregate(vectors)}
					if f := state.Faces[0]; f.UserID == "" {
						change.Add = []face.FaceKey{f.Key}
					} else {
						change.Remove = []face.FaceKey{f.Key}
					}
					return change, nil
				}
				b.ResetTimer()
				var working sync.WaitGroup
				for caller := range callers {
					working.Go(func() {
						for i := caller; i < b.N; i += callers {
							call := once(uuid.NewString(), time.Now())
							if _, _,
								err := s.ChangeUser(b.Context(), c, fmt.Sprint("u", caller),
								faces[caller][:1], call, toggle); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				working.Wait()
				perSecond(b, b.N, "changes")
			})
		}
	}
}
