package vision

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// DefaultMemory is the memory that pictures in work may take together where nothing else is said:
// enough for one progressive picture of 100 megapixels, or twenty baseline ones of 24.
const DefaultMemory = 2 << 30 // bytes

// Memory bounds the memory that all pictures being decoded and looked at take together. A picture
// waits until there is room for it; one that never fits is refused as too large. Garbage that is
// not collected yet comes on top. Engines can share one.
type Memory struct {
	bytes  int64
	budget *semaphore.Weighted
	inWork atomic.Int64
}

// NewMemory returns a bound of that many bytes, which must be above 0.
func NewMemory(bytes int64) *Memory {
	return &Memory{bytes: bytes, budget: semaphore.NewWeighted(bytes)}
}

// InWork is how many bytes the pictures that are in work now may take.
func (m *Memory) InWork() int64 { return m.inWork.Load() }

// take waits until that many bytes are free, which are the caller's until it calls release.
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
