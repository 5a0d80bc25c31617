package jpeg

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd asm && go run . -out ../full_amd64.s -stubs ../stubs_amd64.go -pkg jpeg"

// transform is portableFull where the processor has AVX2, with the same samples; it is false
// elsewhere.
func transform(out []uint8, stride int, b *[64]int32) bool {
	if !cpu.X86.HasAVX2 {
		return false
	}
	fullAVX2(&out[0], stride, b)
	return true
}
