package sqlite

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// markNoSpace wraps [recollect.ErrNoSpace] around SQLite's error of a full disk, and returns other
// errors as they are.
func markNoSpace(err error) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrFull {
		return fmt.Errorf("%w: %w", recollect.ErrNoSpace, err)
	}
	return err
}
