//go:build unix

package exact

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mapping is a part of the address space outside of Go's heap, which goes back to the system once
// nobody holds the mapping.
type mapping struct {
	bytes   []byte
	cleanup runtime.Cleanup
}

func newMapping(bytes []byte) *mapping {
	m := &mapping{bytes: bytes}
	m.cleanup = runtime.AddCleanup(m, unmap, bytes)
	return m
}

// release gives it back at once. It may be called again.
func (m *mapping) release() {
	m.cleanup.Stop()
	unmap(m.bytes)
	m.bytes = nil
}

// mapRows maps a file's rows for reading, until nobody holds the result.
func mapRows(file *os.File, path string, c *coder) (*mapped, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	length := slabSlots * c.rowBytes()
	if info.Size() != int64(rowsAt(c)+length) {
		return nil, errDamaged
	}
	all, err := unix.Mmap(int(file.Fd()), 0, rowsAt(c)+length, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the file: %w", err)
	}
	_ = unix.Madvise(all, unix.MADV_RANDOM) // advice
	return &mapped{path: path, rows: all[rowsAt(c):], stride: c.rowBytes(),
		mapping: newMapping(all)}, nil
}

// newMemory takes memory from the system, which gives each page when it is first written to. It is
// of the heap where the system gives no more.
func newMemory(length int) *memory {
	bytes, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return &memory{bytes: make([]byte, length)} // a process may have so many mappings
	}
	return &memory{bytes: bytes, mapping: newMapping(bytes)}
}

func unmap(memory []byte) { _ = unix.Munmap(memory) } // fails for addresses that are not mapped
