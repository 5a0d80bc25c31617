package jpeg

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd asm && go run . -out ../full_amd64.s -stubs ../stubs_amd64.go -pkg jpeg"

// transform does the same as portableFull with AVX2, with the same samples. It returns false if the
// processor has no AVX2.
func transform(out []uint8, stride int, b *[64]int32) bool {
	if !cpu.X86.HasAVX2 {
		return false
	}
	fullAVX2(&out[0], stride, b)
	return true
}
