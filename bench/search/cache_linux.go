package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget takes a file that is not needed for a while out of the system's cache, which has room for the index's files then.
func forget(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}
