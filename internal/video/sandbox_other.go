//go:build !linux || (!amd64 && !arm64)

package video

import "errors"

// Main does nothing on this system.
func Main() Sandbox { return Sandbox{} }

func sandboxed(confinement, []string) (string, []string, error) {
	return "", nil, errors.New("videos are decoded on Linux alone, on amd64 and arm64")
}
