//go:build unix

package exact

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mapRows maps a file's rows for reading. They are unmapped once nobody holds the result.
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
	runtime.AddCleanup(m, func(all []byte) { _ = unix.Munmap(all) }, all)
	return m, nil
}
