//go:build !amd64

package exact

// available returns the kernels that this processor runs, the fastest last.
func available() []*kernels { return []*kernels{portable()} }
