//go:build !amd64

package jpeg

// transform is false: the processor has nothing that portableFull has not.
func transform([]uint8, int, *[64]int32) bool { return false }
