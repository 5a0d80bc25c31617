//go:build unix

package exact

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mapSlab maps a file's rows for reading and takes memory for the rest of a slab. Both go back once nobody holds the result.
func mapSlab(file *os.File, path string, c *coder) (*mapped, error) {
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
	if m.memory, err = unix.Mmap(-1, 0, slotsBytes(c), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		m.memory = make([]byte, slotsBytes(c)) // the system allows a process so many mappings
		return m, nil
	}
	runtime.AddCleanup(m, unmap, m.memory)
	return m, nil
}

func unmap(memory []byte) { _ = unix.Munmap(memory) } // fails for addresses that are not mapped
