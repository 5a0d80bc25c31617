package server

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

func TestSeeded(t *testing.T) {
	draw := func(seed, run uint64) (ids [3]string) {
		next := seeded(seed, run)
		for i := range ids {
			id, err := next()
			if err != nil {
				t.Fatal(err)
			}
			if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 ||
				id != strings.ToLower(id) {
				t.Errorf("%s is no random UUID: %v", id, err)
			}
			ids[i] = id
		}
		return ids
	}
	first := draw(7, 0)
	if first != draw(7, 0) || first[0] == first[1] {
		t.Errorf("%v, and again %v", first, draw(7, 0))
	}
	for _, other := range [][3]string{draw(8, 0), draw(7, 1)} {
		if other[0] == first[0] {
			t.Errorf("%v is that of another seed or run", other)
		}
	}
}

// TestSeedNeedsFreshData: a seed is rejected where there is data, unless that is asked for.
func TestSeedNeedsFreshData(t *testing.T) {
	needLibrary(t)
	cfg := config(t)
	cfg.Data = filepath.Join(cfg.Data, "data")
	cfg.Seed, cfg.LazyModels = new(uint64(7)), true
	start := func() error {
		a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return a.close(t.Context())
	}
	if err := start(); err != nil {
		t.Fatalf("on a fresh folder: %v", err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "--seed-existing-data") {
		t.Errorf("on its data: %v", err)
	}
	cfg.SeedExistingData = true
	if err := start(); err != nil {
		t.Errorf("on its data, asked for: %v", err)
	}
	store, err := sqlite.Open(t.Context(), cfg.Data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	cfg.SeedExistingData, cfg.Store = false, "postgres://127.0.0.1:1/none"
	if err := start(); err == nil || !strings.Contains(err.Error(), "--seed-existing-data") {
		t.Errorf("on a database: %v", err)
	}
}
