package exact

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd asm && go run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg exact"

// available returns the kernels that this processor runs, the fastest last.
func available() []*kernels {
	all := []*kernels{portable()}
	if !cpu.X86.HasAVX2 {
		return all
	}
	all = append(all, assembly("AVX2", sumsAVX2, signedAVX2, aboveAVX2))
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW {
		all = append(all, assembly("AVX-512", sumsAVX512, signedAVX512, aboveAVX512))
	}
	return all
}

// assembly returns kernels for at least AVX2, of which some are given.
func assembly(name string,
	sums func(sums *uint16, codes, tables *byte, rows, blocks int),
	signed func(code *byte, levels *int8, n int) int32,
	above func(masks *uint32, sums *uint16, scales *float32, blocks int, step, shift,
		limit float32),
) *kernels {
	return &kernels{
		name: name,
		sums: func(to []uint16, codes, tables []byte, rows int) {
			if blocks := len(to) / blockSlots; blocks > 0 {
				_, _ = codes[blocks*rows*blockSlots-1], tables[32*rows-1]
				sums(&to[0], &codes[0], &tables[0], rows, blocks)
			}
		},
		signed: func(code []byte, levels []int8) int32 {
			if len(code) == 0 {
				return 0
			}
			_ = levels[8*len(code)-1]
			return signed(&code[0], &levels[0], len(code))
		},
		fetch: func(base []byte, width int, rows []uint16) {
			if len(rows) > 0 && len(base) > 0 { // there is nothing to fetch without rows
				fetchLines(&base[0], width, &rows[0], len(rows))
			}
		},
		above: func(masks []uint32, sums []uint16, scales []float32, step, shift, limit float32) {
			if blocks := len(masks); blocks > 0 {
				_, _ = sums[blocks*blockSlots-1], scales[blocks*blockSlots-1]
				above(&masks[0], &sums[0], &scales[0], blocks, step, shift, limit)
			}
		},
		dot: func(a, b []float32) float32 {
			if len(a) == 0 || len(a)%8 != 0 || len(a) != len(b) {
				return portableDot(a, b)
			}
			return dotAVX2(&a[0], &b[0], len(a))
		},
		hadamard: func(v []float32) { hadamardAVX2(&v[0], len(v)) },
	}
}
