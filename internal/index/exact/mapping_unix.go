//go:build unix

package exact

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mapping is a part of the address space outside of Go's heap. It is unmapped when it is released
// or no longer referenced.
type mapping struct {
	bytes   []byte
	cleanup runtime.Cleanup
}

func newMapping(bytes []byte) *mapping {
	m := &mapping{bytes: bytes}
	m.cleanup = runtime.AddCleanup(m, unmap, bytes)
	return m
}

// release unmaps it. It may be called again.
func (m *mapping) release() {
	m.cleanup.Stop()
	unmap(m.bytes)
	m.bytes = nil
}

// mapRows maps a file's rows for reading, as long as the result is referenced.
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

// newMemory returns memory of the system, which assigns each page when it is first written to. If
// the system has no more mappings, the memory is of the heap.
func newMemory(length int) *memory {
	bytes, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		// The number of mappings of a process is limited.
		return &memory{bytes: make([]byte, length)}
	}
	return &memory{bytes: bytes, mapping: newMapping(bytes)}
}

func unmap(memory []byte) { _ = unix.Munmap(memory) } // fails for addresses that are not mapped
