// Command pipeline measures the stages of an IndexFaces request, beside the time of the same
// networks alone in ONNX Runtime in the same run, and the number of ListCollections requests that
// the server handles in a second.
//
// The requests are signed and sent over HTTP on loopback to a server in this process, with the real
// store, index and networks; client and server share the machine's cores. There are two pictures:
// one of LFW's size, and one of 12 megapixels with the same face at 1,500 pixels.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

func main() {
	library := flag.String("library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	picture := flag.String("picture", filepath.Join("..", "shared", "data", "lfw", "images"),
		"a JPEG with one face, or a folder in which one is found")
	out := flag.String("out", filepath.Join("bench", "results", "pipeline.md"),
		"file for the results; empty: none")
	duration := flag.Duration("duration", 5*time.Second, "time of each measurement")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of the whole run; empty: "+
		"none")
	clients := flag.String("clients", "1,2,8,64", "numbers of clients")
	part := flag.Bool("small", false,
		"the small picture alone: nothing of the large one, of decoding and of ListCollections")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "pipeline:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	if err := run(context.Background(), *library, *picture, *out, *clients, *part,
		*duration); err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, library, picture, out, clientList string, smallOnly bool,
	duration time.Duration) error {
	var counts []int
	for _, text := range strings.Split(clientList, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-clients: %q is no number of clients", text)
		}
		counts = append(counts, n)
	}
	floor := make([]byte, 128<<20) // as in the server: see heapFloor of package server
	defer runtime.KeepAlive(floor)
	small, err := workload.FindPicture(picture)
	if err != nil {
		return err
	}
	large, err := workload.Enlarge(small, 4000, 3000)
	if err != nil {
		return err
	}
	stages := new(stopwatch)
	b, err := open(ctx, library, stages)
	if err != nil {
		return err
	}
	defer b.close()

	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# The pipeline, stage by stage\n\n`make bench`, %s, %d cores, %s, %s/%s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), workload.CPUModel(), runtime.GOOS,
		runtime.GOARCH)
	fmt.Fprint(w, "Medians over requests, in milliseconds; client and server share the cores. "+
		"Bare networks: detection, landmarks, pose and "+
		"embedding once each, one after the other without other processing, by ONNX Runtime in "+
		"the same run, with the original operators of their files; rewritten: the same with the "+
		"operators that Recollect replaces (onnx/prelu.go).\n\n")
	type sized struct {
		name string
		data []byte
	}
	pictures := []sized{{"250x250", small}, {"4000x3000", large}}
	if smallOnly {
		pictures = pictures[:1]
	}
	for _, p := range pictures {
		for _, clients := range counts {
			if err := b.measurePicture(ctx, w, p.name, p.data, clients, duration); err != nil {
				return err
			}
		}
	}
	if !smallOnly {
		if err := measureDecoding(ctx, w, large, duration); err != nil {
			return err
		}
		if err := b.measureListCollections(ctx, w, duration); err != nil {
			return err
		}
	}
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(report.String()), 0o644)
}

// bench is the server under measurement.
type bench struct {
	engine    *vision.Engine
	published *vision.Engine // with the networks' original operators
	server    *httptest.Server
	stages    *stopwatch
	store     *sqlite.Store
	dir       string
	client    *client
}

func open(ctx context.Context, library string, stages *stopwatch) (*bench, error) {
	_, engine, err := workload.OpenEngine(library,
		vision.Options{Observe: func(s vision.Stage, d time.Duration) { stages.add(string(s), d) }})
	if err != nil {
		return nil, err
	}
	published, err := workload.OpenPublished(library)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "recollect-bench-")
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	service, err := face.NewService(face.Config{
		Store:   timedStore{store, stages},
		Faces:   timedIndex{exact.New(store, exact.Options{}), stages},
		Users:   exact.New(exact.SourceFunc(store.UserVectors), exact.Options{}),
		Engines: []face.Engine{engine},
	})
	if err != nil {
		return nil, err
	}
	key := iam.AccessKey{ID: "AKIDBENCH0000000", Secret: "a secret for the benchmark",
		Principal: iam.Principal{Account: "123456789012", ARN: "arn:aws:iam::123456789012:root"}}
	sealer, err := iam.OpenSealer(ctx, dir, store.Identities())
	if err != nil {
		return nil, err
	}
	server := httptest.NewServer(rekognition.New(rekognition.Config{
		Service:    service,
		Identities: iam.NewService(store.Identities(), sealer, key),
		Regions:    []string{"us-east-1"},
		TokenKey:   []byte("a key for the benchmark's tokens"),
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
		// Some of 64 clients with 12 megapixels each would be rejected.
		MaxPictures: 4096,
	}))
	return &bench{engine: engine, published: published, server: server, stages: stages,
		store: store, dir: dir,
		client: &client{address: server.Listener.Addr().String(), key: key}}, nil
}

func (b *bench) close() {
	b.server.Close()
	b.store.Close()
	b.engine.Close()
	b.published.Close()
	os.RemoveAll(b.dir)
}
