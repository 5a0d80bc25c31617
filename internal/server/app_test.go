package server

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

var library = filepath.Join("..", "..", "lib", "recollect")

// config is the configuration of a server on a folder of its own, with the root key AKID.
func config(t *testing.T) Config {
	t.Helper()
	t.Setenv("RECOLLECT_ROOT_ACCESS_KEY_ID", "AKIDAKIDAKIDAKIDAKID")
	t.Setenv("RECOLLECT_ROOT_SECRET_ACCESS_KEY", strings.Repeat("s", 40))
	return Config{Version: "test", Listen: "127.0.0.1:0", Data: t.TempDir(), Library: library,
		Device: DeviceCPU, Regions: []string{"us-east-1"}, Account: "123456789012"}
}

// TestOpenClosesWhatItOpened: whichever part fails to open, the folder and the address can be used
// afterwards.
func TestOpenClosesWhatItOpened(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := func() string {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the address is in use": {func(c *Config) { c.Listen = taken.Addr().String() }, "in use"},
		"the metrics' address is": {func(c *Config) { c.Metrics = taken.Addr().String() },
			"in use"},
		"there is no source": {func(c *Config) { c.Images.Root = "/nowhere" },
			"source of pictures"},
		"there are no networks": {func(c *Config) { c.Library = c.Data }, "make networks"},
		"the index's folder is a file": {func(c *Config) {
			if err := os.WriteFile(filepath.Join(c.Data, "index"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "index"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			cfg.Listen = free()
			test.change(&cfg)
			a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if a != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			store, err := sqlite.Open(t.Context(), cfg.Data, sqlite.Options{})
			if err != nil {
				t.Fatalf("the folder is not free: %v", err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			if cfg.Listen == taken.Addr().String() {
				return
			}
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", cfg.Listen)
			if err != nil {
				t.Fatalf("the address is not free: %v", err)
			}
			l.Close()
		})
	}
}

// TestEndUnderLoad: runs of networks that outlive the grace period do not crash the process, and
// the server ends.
func TestEndUnderLoad(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	cfg := config(t)
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.server.grace = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	client := rekognition.New(rekognition.Options{Region: "us-east-1",
		BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
			strings.Repeat("s", 40), "")})
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 1600, 1200)), nil); err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	var first sync.Once
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				_, err := client.DetectFaces(context.WithoutCancel(ctx),
					&rekognition.DetectFacesInput{Image: &types.Image{Bytes: picture.Bytes()}})
				if err != nil {
					return
				}
				first.Do(func() { close(answered) })
			}
		})
	}
	<-answered
	stop()
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "still in flight") {
		t.Errorf("got %v, want that requests were still in flight", err)
	}
	callers.Wait()
	store, err := sqlite.Open(t.Context(), cfg.Data, sqlite.Options{})
	if err != nil {
		t.Fatalf("the folder is not free: %v", err)
	}
	io.Closer(store).Close()
}
