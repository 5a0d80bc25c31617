package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	stdjpeg "image/jpeg"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/engine/jpeg"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// stopwatch records the durations of each stage.
type stopwatch struct {
	mu   sync.Mutex
	took map[string][]time.Duration
}

func (s *stopwatch) add(stage string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took == nil {
		s.took = map[string][]time.Duration{}
	}
	s.took[stage] = append(s.took[stage], d)
}

// take returns the records and clears them.
func (s *stopwatch) take() map[string][]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.took
	s.took = nil
	return taken
}

// timedStore and timedIndex record the durations of IndexFaces' and SearchFacesByImage's calls of
// the store and the index.
type timedStore struct {
	*sqlite.Store
	stages *stopwatch
}

func (s timedStore) AddFaces(ctx context.Context, c face.CollectionKey, faces []face.Face,
	most int64) ([]face.Face, []bool, error) {
	defer func(start time.Time) { s.stages.add("store", time.Since(start)) }(time.Now())
	return s.Store.AddFaces(ctx, c, faces, most)
}

type timedIndex struct {
	face.Index
	stages *stopwatch
}

func (i timedIndex) Search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	defer func(start time.Time) { i.stages.add("search", time.Since(start)) }(time.Now())
	return i.Index.Search(ctx, c, query, k, least)
}

// load runs f from a number of clients for a time, and returns the duration of each call.
func load(clients int, duration time.Duration, f func(client int) error) (took []time.Duration,
	err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	end := time.Now().Add(duration)
	for c := range clients {
		group.Go(func() {
			for time.Now().Before(end) {
				start := time.Now()
				failed := f(c)
				d := time.Since(start)
				mu.Lock()
				took = append(took, d)
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
	return took, err
}

// median returns the median in milliseconds. It is not sensitive to other load of the machine.
func median(took []time.Duration) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1e6
}

// measurePicture prints a table of one picture at a number of clients.
func (b *bench) measurePicture(ctx context.Context, w io.Writer, name string, picture []byte,
	clients int, duration time.Duration) error {
	collection := fmt.Sprintf("%s-%d", name, clients)
	if err := b.client.call("CreateCollection",
		fmt.Sprintf(`{"CollectionId":%q}`, collection)); err != nil {
		return err
	}
	image := base64.StdEncoding.EncodeToString(picture)
	index := fmt.Sprintf(`{"CollectionId":%q,"Image":{"Bytes":%q}}`, collection, image)
	search := fmt.Sprintf(`{"CollectionId":%q,"MaxFaces":10,"Image":{"Bytes":%q}}`, collection,
		image)

	calls, err := b.client.prepare(clients, "IndexFaces", index)
	if err != nil {
		return err
	}
	defer calls.close()
	// The networks are warm and have real pictures as inputs: the time of a network can depend on
	// its input.
	if _, err := load(clients, duration/5, calls.do); err != nil {
		return err
	}
	if _, err := load(clients, duration/5,
		func(int) error { return look(ctx, b.published, picture) }); err != nil {
		return err
	}
	b.stages.take()

	// They alternate, so that other load of the machine affects all.
	var (
		rounds                 = max(20/clients, 4)
		part                   = duration / time.Duration(rounds)
		bare, rewritten, whole trial
		memory                 int64
	)
	for range rounds {
		if err := bare.run(clients, part, bare.networks(ctx, b.published)); err != nil {
			return err
		}
		if err := rewritten.run(clients, part, rewritten.networks(ctx, b.engine)); err != nil {
			return err
		}
		workload.ForgetPeak()
		if err := whole.run(clients, part, calls.do); err != nil {
			return err
		}
		peak, _ := workload.PeakMemory(os.Getpid()) // 0 where the system has no such figure
		memory = max(memory, peak)
	}
	stages := b.stages.take()

	searches, err := b.client.prepare(clients, "SearchFacesByImage", search)
	if err != nil {
		return err
	}
	defer searches.close()
	searched, err := load(clients, duration/2, searches.do)
	if err != nil {
		return err
	}
	searchTime := b.stages.take()["search"]

	fmt.Fprintf(w, "## %s JPEG of %d KB, %d client(s)\n"+
		"\n| | Recollect | bare networks | rewritten |\n|---|---|---|---|\n", name,
		len(picture)/1024, clients)
	bareStages, rewrittenStages := bare.stages.take(), rewritten.stages.take()
	for _, stage := range []string{"decode", "detect", "landmarks", "pose", "align", "embed",
		"store"} {
		if len(bareStages[stage]) == 0 {
			fmt.Fprintf(w, "| %s | %.2f | | |\n", stage, median(stages[stage]))
			continue
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %.2f |\n", stage, median(stages[stage]),
			median(bareStages[stage]), median(rewrittenStages[stage]))
	}
	fmt.Fprintf(w, "| encode | %.3f | | |\n", float64(encodeTime().Nanoseconds())/1e6)
	fmt.Fprintf(w, "| **whole IndexFaces** | **%.2f** | **%.2f** | **%.2f** |\n",
		median(whole.took), median(bare.took), median(rewritten.took))
	fmt.Fprintf(w, "| requests a second | %.1f | %.1f | %.1f |\n", whole.rate(), bare.rate(),
		rewritten.rate())
	fmt.Fprintf(w, "| processor time of a request | %.2f | %.2f | %.2f |\n", whole.cost(),
		bare.cost(), rewritten.cost())
	fmt.Fprintf(w, "| search, in a collection of %d faces | %.2f | | |\n", len(whole.took),
		median(searchTime))
	fmt.Fprintf(w, "| whole SearchFacesByImage | %.2f | | |\n\n", median(searched))
	fmt.Fprintf(w, "IndexFaces takes **%.2f** times the bare networks, and serves **%.0f %%** of "+
		"their faces a second; by the processor's time it is %.0f %%. ",
		median(whole.took)/median(bare.took), 100*whole.rate()/bare.rate(),
		100*bare.cost()/whole.cost())
	fmt.Fprintf(w, "Beside the rewritten networks it is %.2f times, %.0f %% and %.0f %%. ",
		median(whole.took)/median(rewritten.took), 100*whole.rate()/rewritten.rate(),
		100*rewritten.cost()/whole.cost())
	fmt.Fprintf(w, "The process, clients, all three kinds of requests and all, has %d MB resident "+
		"at most.\n\n", memory>>20)
	return nil
}

// measureDecoding prints the time of decoding a JPEG at each scale, beside Go's decoder.
func measureDecoding(ctx context.Context, w io.Writer, picture []byte,
	duration time.Duration) error {
	fmt.Fprint(w, "## Decoding 4000x3000\n"+
		"\nOne core, in turns. A face that needs more than the scale has adds its rows at a finer "+
		"one.\n\n| decoder | ms | of image/jpeg |\n|---|---|---|\n")
	took := map[int][]time.Duration{}
	const standard = -1
	for end := time.Now().Add(duration); time.Now().Before(end); {
		for shift := standard; shift <= jpeg.MaxShift; shift++ {
			start := time.Now()
			var err error
			if shift == standard {
				_, err = stdjpeg.Decode(bytes.NewReader(picture))
			} else {
				_, err = jpeg.Decode(ctx, picture, shift)
			}
			if err != nil {
				return err
			}
			took[shift] = append(took[shift], time.Since(start))
		}
	}
	whole := median(took[standard])
	fmt.Fprintf(w, "| image/jpeg | %.1f | |\n", whole)
	for shift := range jpeg.MaxShift + 1 {
		fmt.Fprintf(w, "| at 1/%d | %.1f | %.2f |\n", 1<<shift, median(took[shift]),
			median(took[shift])/whole)
	}
	fmt.Fprintln(w)
	return nil
}

// encodeTime returns the time of encoding the response of an IndexFaces request with one face.
func encodeTime() time.Duration {
	f := func() *wire.Float { return new(wire.Float(0.24770642817020416)) }
	box := &wire.BoundingBox{Width: f(), Height: f(), Left: f(), Top: f()}
	var points []wire.Landmark
	for _, name := range []string{"eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"} {
		points = append(points, wire.Landmark{Type: new(name), X: f(), Y: f()})
	}
	out := &wire.IndexFacesResponse{FaceModelVersion: new("1.0"),
		UnindexedFaces: []wire.UnindexedFace{}, FaceRecords: []wire.FaceRecord{{
			Face: &wire.Face{FaceId: new("00000000-0000-4000-8000-000000000000"),
				ImageId: new("00000000-0000-3000-8000-000000000000"), BoundingBox: box,
				Confidence: f()},
			FaceDetail: &wire.FaceDetail{BoundingBox: box, Confidence: f(), Landmarks: points,
				Pose:    &wire.Pose{Roll: f(), Yaw: f(), Pitch: f()},
				Quality: &wire.ImageQuality{Brightness: f(), Sharpness: f()}},
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

// measureListCollections prints the number of ListCollections requests served in a second.
func (b *bench) measureListCollections(_ context.Context, w io.Writer,
	duration time.Duration) error {
	fmt.Fprint(w, "## ListCollections\n\n"+
		"Signed requests over keep-alive connections; each is verified.\n"+
		"\n| collections | page | clients | requests a second | median ms |\n"+
		"|---|---|---|---|---|\n")
	made := 0
	for _, c := range []struct{ collections, page, clients int }{{10, 10, 1}, {10, 10, 8},
		{10_000, 10, 8}, {10_000, 100, 8}} {
		for ; made < c.collections; made++ {
			if err := b.client.call("CreateCollection",
				fmt.Sprintf(`{"CollectionId":"collection-%06d"}`, made)); err != nil {
				return err
			}
		}
		calls, err := b.client.prepare(c.clients, "ListCollections",
			fmt.Sprintf(`{"MaxResults":%d}`, c.page))
		if err != nil {
			return err
		}
		took, err := load(c.clients, duration, calls.do)
		calls.close()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %d | %d | %d | %.0f | %.3f |\n", c.collections, c.page, c.clients,
			float64(len(took))/duration.Seconds(), median(took))
	}
	return nil
}
