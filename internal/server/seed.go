package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// errSeedData rejects a seed for data that is there already.
var errSeedData = errors.New("--seed is for tests, and the data folder has data already: name " +
	"another folder, or give --seed-existing-data as well")

// checkSeed returns an error if ids that repeat were asked for where there is data already.
func (c Config) checkSeed() error {
	if c.Seed == nil || c.SeedExistingData {
		return nil
	}
	if c.Store != "" {
		return errSeedData
	}
	_, err := os.Stat(filepath.Join(c.Data, sqlite.DatabaseName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for data: %w", err)
	default:
		return errSeedData
	}
}

// newIDs returns the function that makes ids; nil: they are random.
func (c Config) newIDs(ctx context.Context, store interface {
	HighestFaceKey(ctx context.Context) (face.VectorKey, error)
}) (func() (string, error), error) {
	if c.Seed == nil {
		return nil, nil
	}
	// So that a later run on the same data does not make the ids of the earlier one again.
	highest, err := store.HighestFaceKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the highest key of a face: %w", err)
	}
	return seeded(*c.Seed, uint64(highest)), nil
}

// seeded returns a function that makes the same ids, one after the other, for the same numbers.
func seeded(seed, run uint64) func() (string, error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], run)
	random := rand.NewChaCha8(key)
	var mu sync.Mutex
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		id, err := uuid.NewRandomFromReader(random)
		return id.String(), err
	}
}
