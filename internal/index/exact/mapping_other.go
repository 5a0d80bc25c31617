//go:build !unix

package exact

import (
	"errors"
	"os"
)

// mapping is not supported on this system.
type mapping struct{}

func (*mapping) release() {}

// mapRows is not supported on this system: vectors stay in memory.
func mapRows(*os.File, string, *coder) (*mapped, error) { return nil, errors.ErrUnsupported }

// newMemory returns memory of the heap.
func newMemory(length int) *memory { return &memory{bytes: make([]byte, length)} }
