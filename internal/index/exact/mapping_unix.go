//go:build unix

package exact

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

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
	m := &mapped{path: path, rows: all[rowsAt(c):], stride: c.rowBytes()}
	runtime.AddCleanup(m, unmap, all)
	return m, nil
}

// newMemory takes memory from the system, which gives each page when it is first written to. It is
// of the heap where the system gives no more.
func newMemory(length int) *memory {
	bytes, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return &memory{make([]byte, length)} // a process may have so many mappings
	}
	m := &memory{bytes}
	runtime.AddCleanup(m, unmap, bytes)
	return m
}

func unmap(memory []byte) { _ = unix.Munmap(memory) } // fails for addresses that are not mapped
