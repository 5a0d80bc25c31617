package jpeg

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// For all coefficients, also those of no picture, the kernel writes the portable function's samples
// and no others, and clears the block.
func TestFullAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	for range 2000 {
		var block [64]int32
		last := random.IntN(64)
		for i := range last + 1 {
			switch random.IntN(4) {
			case 0:
				block[zigzag[i]] = int32(random.Uint32()) // overflows
			case 1:
				block[zigzag[i]] = int32(random.IntN(4000) - 2000)
			}
		}
		stride := 8 + random.IntN(20)
		got, want := make([]uint8, 7*stride+8), make([]uint8, 7*stride+8)
		again := block
		if !transform(got, stride, &block) {
			t.Skip("this processor has no fast path")
		}
		portableFull(want, stride, &again, deepest[last])
		if !bytes.Equal(got, want) {
			t.Fatalf("the samples differ: %v, want %v", got, want)
		}
		if block != [64]int32{} {
			t.Fatal("the block is not cleared")
		}
	}
}
