//go:build !unix

package exact

import (
	"errors"
	"os"
)

// mapping is not built for this system.
type mapping struct{}

func (*mapping) release() {}

// mapRows is not built for this system: vectors stay in memory.
func mapRows(*os.File, string, *coder) (*mapped, error) { return nil, errors.ErrUnsupported }

// newMemory takes it from the heap.
func newMemory(length int) *memory { return &memory{bytes: make([]byte, length)} }
