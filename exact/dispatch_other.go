//go:build !amd64

package exact

// fastest returns the best kernels that this processor runs.
func fastest() *kernels { return portable() }
