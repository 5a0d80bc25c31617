package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/vision"
)

func needLibrary(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
}

// TestPromisedEngines: before the networks are there, engines have their versions and scales; what
// needs networks waits, until they are there or the caller has left.
func TestPromisedEngines(t *testing.T) {
	needLibrary(t)
	open := make(chan struct{})
	l := load(func() ([]*vision.Engine, error) {
		<-open
		models, err := OpenModels(library, DeviceCPU)
		if err != nil {
			return nil, err
		}
		return models.loadAll(vision.Options{})
	})
	promised, err := l.promised(library)
	if err != nil {
		t.Fatal(err)
	}
	routes := 0
	handler := l.whenLoaded(func(engines []*vision.Engine) http.Handler {
		routes++
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(engines[0].Version()))
		})
	})
	ask := func(ctx context.Context) *httptest.ResponseRecorder {
		r := httptest.NewRecorder()
		handler.ServeHTTP(r, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		return r
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := promised[0].Detect(gone, nil, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is loading: %v", err)
	}
	if r := ask(gone); r.Code == http.StatusOK || routes != 0 {
		t.Errorf("while it is loading: %d", r.Code)
	}
	similarity, least := promised[0].Similarity(0.5), promised[0].Cosine(99)
	close(open)
	engines, err := l.wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(promised) != len(engines) || promised[0].Version() != engines[0].Version() ||
		similarity != engines[0].Similarity(0.5) || least != engines[0].Cosine(99) {
		t.Errorf("%d engines, the first %s with %v and %v; loaded are %d, the first %s",
			len(promised), promised[0].Version(), similarity, least, len(engines),
			engines[0].Version())
	}
	if _, err := promised[0].Detect(t.Context(), []byte("no picture"), 0); err == nil ||
		errors.Is(err, context.Canceled) {
		t.Errorf("what is no picture: %v", err)
	}
	for range 2 {
		if r := ask(t.Context()); r.Body.String() != engines[0].Version() || routes != 1 {
			t.Errorf("answered %q, by routes that were made %d times", r.Body, routes)
		}
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// TestLazyModelsThatFail: the server ends with the error of a network that is damaged.
func TestLazyModelsThatFail(t *testing.T) {
	needLibrary(t)
	cfg := config(t)
	cfg.LazyModels = true
	cfg.Library = filepath.Join(t.TempDir(), "library")
	packs := filepath.Join(cfg.Library, "packs")
	if err := os.CopyFS(packs, os.DirFS(filepath.Join(library, "packs"))); err != nil {
		t.Fatal(err)
	}
	// A process loads one file of ONNX Runtime.
	runtime, err := filepath.Abs(filepath.Join(library, "onnxruntime"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(runtime, filepath.Join(cfg.Library, "onnxruntime")); err != nil {
		t.Fatal(err)
	}
	networks, err := filepath.Glob(filepath.Join(packs, "default", "*.onnx"))
	if err != nil || len(networks) == 0 {
		t.Fatalf("the pack has the networks %v, %v", networks, err)
	}
	if err := os.WriteFile(networks[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil ||
		!strings.Contains(err.Error(), filepath.Base(networks[0])) {
		t.Errorf("the server ended with %v", err)
	}
}
