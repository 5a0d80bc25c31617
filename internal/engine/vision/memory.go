package vision

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// DefaultMemory is the default limit on the memory of all pictures in work: enough for one
// progressive picture of 100 megapixels, or twenty baseline ones of 24.
const DefaultMemory = 2 << 30 // bytes

// Memory limits the memory of all pictures that are being decoded and processed. A picture waits
// until its memory is available; one that exceeds the limit is rejected as too large. Uncollected
// garbage is not counted. Engines can share a Memory.
type Memory struct {
	bytes  int64
	budget *semaphore.Weighted
	inWork atomic.Int64
}

// NewMemory returns a limit of that many bytes, which must be above 0.
func NewMemory(bytes int64) *Memory {
	return &Memory{bytes: bytes, budget: semaphore.NewWeighted(bytes)}
}

// InWork returns the bytes that are reserved for the pictures in work.
func (m *Memory) InWork() int64 { return m.inWork.Load() }

// take waits until that many bytes are available, and reserves them until release is called.
func (m *Memory) take(ctx context.Context, bytes int64) (release func(), err error) {
	if bytes > m.bytes {
		return nil, tooLarge(
			fmt.Errorf("decoding takes %d bytes of memory, more than the %d there are", bytes,
				m.bytes))
	}
	if err := m.budget.Acquire(ctx, bytes); err != nil {
		return nil, fmt.Errorf("waiting for memory to decode in: %w", err)
	}
	m.inWork.Add(bytes)
	return func() {
		m.inWork.Add(-bytes)
		m.budget.Release(bytes)
	}, nil
}
