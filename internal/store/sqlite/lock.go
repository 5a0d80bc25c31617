package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrInUse is the error if another process, or another Store of this one, has the data folder open.
var ErrInUse = errors.New("the data folder is in use by another server")

// lockFolder locks the folder for this process until the returned file is closed. The kernel
// releases the lock when the process ends, for whatever reason, so that no stale lock needs to be
// removed by hand.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	} else {
		err = fmt.Errorf("lock the folder: %w", err)
	}
	return nil, errors.Join(err, f.Close())
}
