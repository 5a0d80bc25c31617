// Command overload measures a server with more callers than it can serve, with its limits on
// requests in flight and without them: requests served a second, their latency, the number of
// rejected requests, and meanwhile the latency of an operation without networks.
//
// The requests are signed and sent over HTTP on loopback to a server in this process, with the real
// store, index and networks; clients and server share the machine's cores. Clients call without a
// pause, and retry as SDKs do: three attempts, with a random wait of up to 1 and 2 seconds before
// the second and the third.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
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

type options struct {
	library, picture, out string
	duration              time.Duration
	pictures              int
	clients               []int
}

func main() {
	var o options
	flag.StringVar(&o.library, "library", filepath.Join("lib", "recollect"),
		"folder of ONNX Runtime and the model packs")
	flag.StringVar(&o.picture, "picture", filepath.Join("..", "shared", "data", "lfw", "images"),
		"a JPEG with one face, or a folder in which one is found")
	flag.StringVar(&o.out, "out", filepath.Join("bench", "results", "overload.md"),
		"file for the results; empty: none")
	flag.DurationVar(&o.duration, "duration", 20*time.Second, "time of each measurement")
	flag.IntVar(&o.pictures, "max-picture-requests", 0, "the bound; 0: the default")
	clients := flag.String("clients", "8,32,128,512", "numbers of clients")
	flag.Parse()
	err := func() error {
		for text := range strings.SplitSeq(*clients, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return fmt.Errorf("-clients: %q is no number of clients", text)
			}
			o.clients = append(o.clients, n)
		}
		return run(context.Background(), o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	floor := make([]byte, 128<<20) // as in the server: see heapFloor of package server
	defer runtime.KeepAlive(floor)
	small, err := workload.FindPicture(o.picture)
	if err != nil {
		return err
	}
	large, err := workload.Enlarge(small, 4000, 3000)
	if err != nil {
		return err
	}
	_, engine, err := workload.OpenEngine(o.library, vision.Options{})
	if err != nil {
		return err
	}
	defer engine.Close()

	var report strings.Builder
	w := io.MultiWriter(os.Stdout, &report)
	fmt.Fprintf(w, "# More callers than can be served\n"+
		"\n`go run ./bench/overload -duration %v`, %s, %d cores, %s/%s.\n",
		o.duration, time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS,
		runtime.GOARCH)
	fmt.Fprintf(w, "\nClients call SearchFacesByImage without a pause and retry as SDKs do, for "+
		"%v for each line.\nClients and server share the cores.\n"+
		"*Served* is the time of an admitted request, and *call* includes earlier attempts and "+
		"waits.\n*A CPU second* is one of this process, on which other programs of the machine "+
		"have less effect.\n*Failed* are the calls a second that were rejected three times.\n"+
		"*ListCollections* is the time of another caller's requests meanwhile.\n"+
		"Times are in milliseconds.\n\n", o.duration)
	for _, picture := range []struct {
		name string
		data []byte
		// of the clients: large pictures take longer, so fewer clients are as much load
		share int
	}{{"250x250", small, 1}, {"4000x3000", large, 4}} {
		fmt.Fprintf(w, "## %s JPEG of %d KB\n\n", picture.name, len(picture.data)/1024)
		fmt.Fprint(w,
			"| bounds | clients | served a second | served a CPU second | served p50 | served "+
				"p99 "+
				"| call p99 | rejected a second | failed a second | ListCollections p99 | heap "+
				"MiB |\n"+
				"|---|---|---|---|---|---|---|---|---|---|---|\n")
		if err := compare(ctx, w, engine, o, picture.data, picture.share); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report.String()), 0o644)
}

// bench is the server under measurement.
type bench struct {
	server  *httptest.Server
	store   *sqlite.Store
	dir     string
	address string
	key     iam.AccessKey
}

// open starts a server with a collection of one face.
func open(ctx context.Context, engine face.Engine, bounded bool, pictures int) (*bench, error) {
	dir, err := os.MkdirTemp("", "recollect-bench-")
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	service, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
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
	cfg := rekognition.Config{
		Service:     service,
		Identities:  iam.NewService(store.Identities(), sealer, key),
		Regions:     []string{"us-east-1"},
		TokenKey:    []byte("a key for the benchmark's tokens"),
		Log:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		MaxPictures: pictures,
	}
	if !bounded {
		cfg.MaxRequests, cfg.MaxPictures = math.MaxInt32, math.MaxInt32
	}
	server := httptest.NewServer(rekognition.New(cfg))
	return &bench{server: server, store: store, dir: dir, address: server.Listener.Addr().String(),
		key: key}, nil
}

func (b *bench) close() error {
	b.server.Close()
	return errors.Join(b.store.Close(), os.RemoveAll(b.dir))
}

// do makes one request, which must succeed.
func (b *bench) do(operation, body string) error {
	request, err := workload.Sign(b.address, b.key, operation, body)
	if err != nil {
		return err
	}
	c := &client{address: b.address}
	defer c.close()
	status, answer, err := c.send(request)
	if err == nil && status != 200 && !strings.Contains(answer, "ResourceAlreadyExistsException") {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	return err
}

// compare prints the lines of one picture. Servers without and with limits alternate, so that other
// load of the machine affects both.
func compare(ctx context.Context, w io.Writer, engine face.Engine, o options, picture []byte,
	share int) (err error) {
	servers := map[bool]*bench{}
	for _, bounded := range []bool{false, true} {
		b, err := open(ctx, engine, bounded, o.pictures)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		servers[bounded] = b
	}
	const rounds = 2
	for _, clients := range o.clients {
		clients = max(1, clients/share)
		tallies := map[bool]*tally{false: {}, true: {}}
		for range rounds {
			for bounded, t := range tallies {
				if err := servers[bounded].measure(t, picture, clients,
					o.duration/rounds); err != nil {
					return err
				}
			}
		}
		for _, bounded := range []bool{false, true} {
			t := tallies[bounded]
			perSecond := func(n int) float64 { return float64(n) / t.took.Seconds() }
			fmt.Fprintf(w,
				"| %s | %d | %.1f | %.1f | %.0f | %.0f | %.0f | %.1f | %.1f | %.1f | %d |\n",
				map[bool]string{false: "none", true: "defaults"}[bounded], clients,
				perSecond(len(t.served)), float64(len(t.served))/t.cpu.Seconds(),
				percentile(t.served, 0.5), percentile(t.served, 0.99), percentile(t.calls, 0.99),
				perSecond(t.refused+t.broken), perSecond(t.failed), percentile(t.listed, 0.99),
				t.heap>>20)
			if t.broken > 0 {
				fmt.Fprintf(os.Stderr, "%d answers did not come through\n", t.broken)
			}
		}
	}
	return nil
}

// measure adds the results of a number of clients to a tally.
func (b *bench) measure(t *tally, picture []byte, clients int, duration time.Duration) error {
	if err := b.do("CreateCollection", `{"CollectionId":"people"}`); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"CollectionId":"people","Image":{"Bytes":%q}}`,
		base64.StdEncoding.EncodeToString(picture))
	if err := b.do("SearchFacesByImage", body); err != nil {
		return err
	}
	request, err := workload.Sign(b.address, b.key, "SearchFacesByImage", body)
	if err != nil {
		return err
	}
	list, err := workload.Sign(b.address, b.key, "ListCollections", `{}`)
	if err != nil {
		return err
	}

	// Another caller, ten times a second, which also records the heap.
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		c := &client{address: b.address}
		defer c.close()
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(100 * time.Millisecond):
			}
			start := time.Now()
			status, answer, err := c.send(list)
			if err != nil || status != 200 {
				stopped <- fmt.Errorf("ListCollections: status %d: %s: %w", status, answer, err)
				return
			}
			t.listed = append(t.listed, time.Since(start))
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			t.heap = max(t.heap, m.HeapInuse)
		}
	}()
	err = b.load(t, clients, duration, request)
	close(stop)
	return errors.Join(err, <-stopped)
}
