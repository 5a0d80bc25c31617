//go:build !unix

package exact

import (
	"errors"
	"os"
)

// mapSlab is not built for this system: vectors stay in memory.
func mapSlab(*os.File, string, *coder) (*mapped, error) { return nil, errors.ErrUnsupported }
