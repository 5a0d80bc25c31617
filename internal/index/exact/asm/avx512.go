package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// together is the number of blocks that share the loads of the tables.
const together = 4

// ahead is the distance of prefetches before the codes in use, in bytes: as many blocks of 512
// coordinates. It was measured; the processor's own prefetching is worse for four streams at once.
const ahead = together * 2048

// sums512 is sums with two rows of a block in a register.
func sums512() {
	TEXT("sumsAVX512", NOSPLIT,
		"func(sums *uint16, codes *byte, tables *byte, rows int, blocks int)")
	Doc("sumsAVX512 is [portableSums] of whole blocks; rows is a multiple of 4.")
	out, codes := Load(Param("sums"), GP64()), Load(Param("codes"), GP64())
	tables, rows := Load(Param("tables"), GP64()), Load(Param("rows"), GP64())
	blocks := Load(Param("blocks"), GP64())
	length := GP64() // of a block
	MOVQ(rows, length)
	SHLQ(U8(5), length)
	low, value := ZMM(), GP32()
	MOVL(U32(0x0f0f0f0f), value)
	VPBROADCASTD(value, low)

	Label("many")
	CMPQ(blocks, U8(together))
	JB(LabelRef("few"))
	sumBlocks(together, out, codes, tables, rows, length, low)
	SUBQ(U8(together), blocks)
	JMP(LabelRef("many"))
	Label("few")
	TESTQ(blocks, blocks)
	JZ(LabelRef("summed"))
	sumBlocks(1, out, codes, tables, rows, length, low)
	DECQ(blocks)
	JMP(LabelRef("few"))
	Label("summed")
	VZEROUPPER()
	RET()
}

// sumBlocks adds up n blocks and advances the pointers. Words of two bytes are added, and the upper
// bytes once more by themselves; their difference gives the sums of the lower bytes.
func sumBlocks(n int, out, codes, tables, rows, length reg.Register, low reg.VecVirtual) {
	all, upper := make([]reg.VecVirtual, n), make([]reg.VecVirtual, n)
	at := make([]reg.GPVirtual, n)
	for i := range n {
		all[i], upper[i], at[i] = ZMM(), ZMM(), GP64()
		VPXORQ(all[i], all[i], all[i])
		VPXORQ(upper[i], upper[i], upper[i])
		if i == 0 {
			MOVQ(codes, at[i])
		} else {
			LEAQ(Mem{Base: at[i-1], Index: length, Scale: 1}, at[i])
		}
	}
	table, left := GP64(), GP64()
	MOVQ(tables, table)
	MOVQ(rows, left)
	loop := fmt.Sprintf("rows%d", n)
	Label(loop)
	var of [2][2]reg.VecVirtual // the tables of two rows: of the low nibbles, and of the high ones
	for pair := range of {
		both := ZMM()
		VMOVDQU64(Mem{Base: table, Disp: 64 * pair}, both)
		for half, lanes := range []uint8{0b10_10_00_00, 0b11_11_01_01} {
			of[pair][half] = ZMM()
			VSHUFI64X2(U8(lanes), both, both, of[pair][half])
		}
	}
	for i := range n {
		var sum reg.VecVirtual
		for pair := range of {
			code, high := ZMM(), ZMM()
			VMOVDQU64(Mem{Base: at[i], Disp: 64 * pair}, code)
			if n > 1 {
				PREFETCHT0(Mem{Base: at[i], Disp: 64*pair + ahead})
			}
			VPSRLW(U8(4), code, high)
			VPANDD(low, code, code)
			VPANDD(low, high, high)
			VPSHUFB(code, of[pair][0], code)
			VPSHUFB(high, of[pair][1], high)
			VPADDB(code, high, code)
			if pair == 0 {
				sum = code
			} else {
				VPADDB(code, sum, sum)
			}
		}
		VPADDW(sum, all[i], all[i])
		VPSRLW(U8(8), sum, sum)
		VPADDW(sum, upper[i], upper[i])
		SUBQ(I8(-128), at[i])
	}
	SUBQ(I8(-128), table)
	SUBQ(U8(4), left)
	JNZ(LabelRef(loop))
	for i := range n {
		for _, sum := range []reg.VecVirtual{all[i], upper[i]} {
			half := YMM()
			VEXTRACTI64X4(U8(1), sum, half)
			VPADDW(half, sum.AsY(), sum.AsY())
		}
		odd, even, first, second := upper[i].AsY(), all[i].AsY(), YMM(), YMM()
		VPSLLW(U8(8), odd, first)
		VPSUBW(first, even, even)
		VPUNPCKLWD(odd, even, first)  // vectors 0 to 7 and 16 to 23
		VPUNPCKHWD(odd, even, second) // 8 to 15 and 24 to 31
		VPERM2I128(U8(0x20), second, first, even)
		VMOVDQU(even, Mem{Base: out, Disp: 64 * i})
		VPERM2I128(U8(0x31), second, first, even)
		VMOVDQU(even, Mem{Base: out, Disp: 64*i + 32})
	}
	ADDQ(U32(64*n), out)
	MOVQ(at[n-1], codes)
}

// signed512 adds the levels whose bits are set and subtracts the others.
func signed512() {
	TEXT("signedAVX512", NOSPLIT, "func(code *byte, levels *int8, n int) int32")
	Doc("signedAVX512 is [portableSigned]; n, in bytes of code, is a multiple of 16 over 0.")
	code, levels := Load(Param("code"), GP64()), Load(Param("levels"), GP64())
	n := Load(Param("n"), GP64())
	zero, ones, sum, value := ZMM(), ZMM(), ZMM(), GP32()
	VPXORQ(zero, zero, zero)
	MOVL(U32(0x01010101), value)
	VPBROADCASTD(value, ones)
	VPXORQ(sum, sum, sum)
	Label("signed")
	for part := range 2 {
		bits, v := K(), ZMM()
		KMOVQ(Mem{Base: code, Disp: 8 * part}, bits)
		VPSUBB(Mem{Base: levels, Disp: 64 * part}, zero, v)
		VMOVDQU8(Mem{Base: levels, Disp: 64 * part}, bits, v)
		VPMADDUBSW(v, ones, v) // pairs
		VPADDW(v, sum, sum)
	}
	ADDQ(U8(16), code)
	SUBQ(I8(-128), levels)
	SUBQ(U8(16), n)
	JNZ(LabelRef("signed"))
	MOVL(U32(0x00010001), value)
	VPBROADCASTD(value, ones)
	VPMADDWD(ones, sum, sum)
	half := YMM()
	VEXTRACTI64X4(U8(1), sum, half)
	VPADDD(half, sum.AsY(), half)
	returnSum(half)
}

// above512 computes half a mask at once.
func above512() {
	TEXT("aboveAVX512", NOSPLIT,
		"func(masks *uint32, sums *uint16, scales *float32, blocks int, step, shift, limit "+
			"float32)")
	Doc("aboveAVX512 is [portableAbove] of whole blocks.")
	masks, sums := Load(Param("masks"), GP64()), Load(Param("sums"), GP64())
	scales, blocks := Load(Param("scales"), GP64()), Load(Param("blocks"), GP64())
	step, shift, limit := broadcast("step", ZMM()), broadcast("shift", ZMM()),
		broadcast("limit", ZMM())
	Label("next")
	var halves [2]reg.OpmaskVirtual
	for part := range halves {
		v := ZMM()
		VPMOVZXWD(Mem{Base: sums, Disp: 32 * part}, v)
		VCVTDQ2PS(v, v)
		VMULPS(step, v, v)
		VADDPS(shift, v, v)
		VMULPS(Mem{Base: scales, Disp: 64 * part}, v, v)
		halves[part] = K()
		VCMPPS(U8(5), limit, v, halves[part]) // not less than, so that NaN counts
	}
	KUNPCKWD(halves[0], halves[1], halves[0])
	KMOVD(halves[0], Mem{Base: masks})
	ADDQ(U8(4), masks)
	ADDQ(U8(64), sums)
	SUBQ(I8(-128), scales)
	DECQ(blocks)
	JNZ(LabelRef("next"))
	VZEROUPPER()
	RET()
}
