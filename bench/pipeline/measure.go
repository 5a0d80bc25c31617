package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/sqlite"
	"github.com/recollect-dev/recollect/wire"
)

// stopwatch adds up what each stage takes.
type stopwatch struct {
	mu    sync.Mutex
	total map[string]time.Duration
}

func (s *stopwatch) add(stage string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == nil {
		s.total = map[string]time.Duration{}
	}
	s.total[stage] += d
}

// take returns the sums and starts again.
func (s *stopwatch) take() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.total
	s.total = nil
	return taken
}

// timedStore and timedIndex time what IndexFaces and SearchFacesByImage do with the store and the index.
type timedStore struct {
	*sqlite.Store
	stages *stopwatch
}

func (s timedStore) AddFaces(ctx context.Context, c recollect.CollectionKey, faces []recollect.Face, most int64) ([]recollect.Face, []bool, error) {
	defer func(start time.Time) { s.stages.add("store", time.Since(start)) }(time.Now())
	return s.Store.AddFaces(ctx, c, faces, most)
}

type timedIndex struct {
	recollect.Index
	stages *stopwatch
}

func (i timedIndex) Search(ctx context.Context, c recollect.CollectionKey, query []float32, k int, least float32) ([]recollect.Hit, error) {
	defer func(start time.Time) { i.stages.add("search", time.Since(start)) }(time.Now())
	return i.Index.Search(ctx, c, query, k, least)
}

// load runs f from a number of clients for a time, and returns how many calls there were and how long one took, in the mean.
func load(clients int, duration time.Duration, f func(client int) error) (calls int, mean time.Duration, err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		total time.Duration
	)
	end := time.Now().Add(duration)
	for c := range clients {
		group.Go(func() {
			for time.Now().Before(end) {
				start := time.Now()
				failed := f(c)
				took := time.Since(start)
				mu.Lock()
				calls++
				total += took
				if failed != nil {
					err = failed
				}
				mu.Unlock()
				if failed != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return calls, total / time.Duration(max(calls, 1)), err
}

// measurePicture prints a table of one picture at a number of clients.
func (b *bench) measurePicture(ctx context.Context, w io.Writer, name string, picture []byte, clients int, duration time.Duration) error {
	collection := fmt.Sprintf("%s-%d", name, clients)
	if err := b.client.call("CreateCollection", fmt.Sprintf(`{"CollectionId":%q}`, collection)); err != nil {
		return err
	}
	image := base64.StdEncoding.EncodeToString(picture)
	index := fmt.Sprintf(`{"CollectionId":%q,"Image":{"Bytes":%q}}`, collection, image)
	search := fmt.Sprintf(`{"CollectionId":%q,"MaxFaces":10,"Image":{"Bytes":%q}}`, collection, image)

	calls, err := b.client.prepare(clients, "IndexFaces", index)
	if err != nil {
		return err
	}
	defer calls.close()
	if _, _, err := load(clients, duration/5, calls.do); err != nil { // warm
		return err
	}
	b.stages.take()

	// Alternate, so that whatever else the machine does falls on both.
	bare := new(stopwatch)
	var bareCalls, wholeCalls int
	var bareTime, wholeTime time.Duration
	const rounds = 5
	for range rounds {
		n, mean, err := load(clients, duration/rounds, func(int) error {
			took, err := b.engine.RunNetworks(ctx)
			for stage, d := range took {
				bare.add(string(stage), d)
			}
			return err
		})
		if err != nil {
			return err
		}
		bareCalls, bareTime = bareCalls+n, bareTime+mean*time.Duration(n)
		n, mean, err = load(clients, duration/rounds, calls.do)
		if err != nil {
			return err
		}
		wholeCalls, wholeTime = wholeCalls+n, wholeTime+mean*time.Duration(n)
	}
	stages := b.stages.take()

	searches, err := b.client.prepare(clients, "SearchFacesByImage", search)
	if err != nil {
		return err
	}
	defer searches.close()
	searchCalls, searchMean, err := load(clients, duration/2, searches.do)
	if err != nil {
		return err
	}
	searchTime := b.stages.take()["search"]

	ms := func(d time.Duration, n int) float64 { return float64(d.Microseconds()) / 1000 / float64(max(n, 1)) }
	fmt.Fprintf(w, "## %s JPEG of %d KB, %d client(s)\n\n| stage | Recollect | bare network |\n|---|---|---|\n", name, len(picture)/1024, clients)
	networks := bare.take()
	for _, stage := range []string{"decode", "detect", "landmarks", "pose", "align", "embed", "store"} {
		network := ""
		if d, ok := networks[stage]; ok {
			network = fmt.Sprintf("%.2f", ms(d, bareCalls))
		}
		fmt.Fprintf(w, "| %s | %.2f | %s |\n", stage, ms(stages[stage], wholeCalls), network)
	}
	fmt.Fprintf(w, "| encode | %.3f | |\n", float64(encodeTime().Nanoseconds())/1e6)
	fmt.Fprintf(w, "| **whole IndexFaces** | **%.2f** | **%.2f** |\n", ms(wholeTime, wholeCalls), ms(bareTime, bareCalls))
	fmt.Fprintf(w, "| requests a second | %.1f | %.1f |\n", float64(wholeCalls)/duration.Seconds(), float64(bareCalls)/duration.Seconds())
	fmt.Fprintf(w, "| search, in a collection of %d faces | %.2f | |\n", wholeCalls, ms(searchTime, searchCalls))
	fmt.Fprintf(w, "| whole SearchFacesByImage | %.2f | |\n\n", ms(searchMean, 1))
	fmt.Fprintf(w, "IndexFaces takes **%.2f** times the bare networks.\n\n", ms(wholeTime, wholeCalls)/ms(bareTime, bareCalls))
	return nil
}

// encodeTime is how long the answer of an IndexFaces request with one face takes to encode.
func encodeTime() time.Duration {
	f := func() *wire.Float { return new(wire.Float(0.24770642817020416)) }
	box := &wire.BoundingBox{Width: f(), Height: f(), Left: f(), Top: f()}
	var points []wire.Landmark
	for _, name := range []string{"eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"} {
		points = append(points, wire.Landmark{Type: new(name), X: f(), Y: f()})
	}
	out := &wire.IndexFacesResponse{FaceModelVersion: new("1.0"), UnindexedFaces: []wire.UnindexedFace{}, FaceRecords: []wire.FaceRecord{{
		Face: &wire.Face{FaceId: new("00000000-0000-4000-8000-000000000000"), ImageId: new("00000000-0000-3000-8000-000000000000"), BoundingBox: box, Confidence: f()},
		FaceDetail: &wire.FaceDetail{BoundingBox: box, Confidence: f(), Landmarks: points,
			Pose: &wire.Pose{Roll: f(), Yaw: f(), Pitch: f()}, Quality: &wire.ImageQuality{Brightness: f(), Sharpness: f()}},
	}}}
	const n = 1000
	start := time.Now()
	for range n {
		if _, err := wire.Encode(out); err != nil {
			return 0
		}
	}
	return time.Since(start) / n
}

// measureListCollections prints how many ListCollections requests a second are served.
func (b *bench) measureListCollections(_ context.Context, w io.Writer, duration time.Duration) error {
	fmt.Fprint(w, "## ListCollections\n\nSigned requests over keep-alive connections; each is verified.\n\n| collections | page | clients | requests a second | mean ms |\n|---|---|---|---|---|\n")
	made := 0
	for _, c := range []struct{ collections, page, clients int }{{10, 10, 1}, {10, 10, 8}, {10_000, 10, 8}, {10_000, 100, 8}} {
		for ; made < c.collections; made++ {
			if err := b.client.call("CreateCollection", fmt.Sprintf(`{"CollectionId":"collection-%06d"}`, made)); err != nil {
				return err
			}
		}
		calls, err := b.client.prepare(c.clients, "ListCollections", fmt.Sprintf(`{"MaxResults":%d}`, c.page))
		if err != nil {
			return err
		}
		n, mean, err := load(c.clients, duration, calls.do)
		calls.close()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %d | %d | %d | %.0f | %.3f |\n", c.collections, c.page, c.clients, float64(n)/duration.Seconds(), float64(mean.Microseconds())/1000)
	}
	return nil
}
