// Command asm writes the AVX2 and AVX-512 kernels of package exact. Their portable twins are in
// kernels.go.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	sums()
	signed()
	fetch()
	above()
	cosine()
	hadamard()
	sums512()
	signed512()
	above512()
	Generate()
}

// sums looks 32 vectors up at once: VPSHUFB takes each lane's nibble as an index into a table of 16
// bytes. Four lookups fit in a byte; then even and odd lanes are widened to words.
func sums() {
	TEXT("sumsAVX2", NOSPLIT, "func(sums *uint16, codes *byte, tables *byte, rows int, blocks "+
		"int)")
	Doc("sumsAVX2 is [portableSums] of whole blocks; rows is a multiple of 4.")
	out, codes := Load(Param("sums"), GP64()), Load(Param("codes"), GP64())
	tables, rows := Load(Param("tables"), GP64()), Load(Param("rows"), GP64())
	blocks := Load(Param("blocks"), GP64())
	low := YMM()
	x := XMM()
	value := GP32()
	MOVL(U32(0x0f0f0f0f), value)
	MOVD(value, x)
	VPBROADCASTD(x, low)
	bytes := YMM() // 0x00ff in each word
	VPCMPEQW(bytes, bytes, bytes)
	VPSRLW(U8(8), bytes, bytes)

	Label("block")
	even, odd := YMM(), YMM()
	VPXOR(even, even, even)
	VPXOR(odd, odd, odd)
	table, left := GP64(), GP64()
	MOVQ(tables, table)
	MOVQ(rows, left)
	Label("rows")
	var sum reg.VecVirtual
	for row := range 2 {
		code, high, t := YMM(), YMM(), YMM()
		VMOVDQU(Mem{Base: codes, Disp: 32 * row}, code)
		VPSRLW(U8(4), code, high)
		VPAND(low, code, code)
		VPAND(low, high, high)
		for half, nibbles := range []reg.VecVirtual{code, high} {
			VBROADCASTI128(Mem{Base: table, Disp: 32*row + 16*half}, t)
			VPSHUFB(nibbles, t, nibbles)
		}
		VPADDB(code, high, code)
		if row == 0 {
			sum = code
		} else {
			VPADDB(code, sum, sum)
		}
	}
	word := YMM()
	VPAND(bytes, sum, word)
	VPADDW(word, even, even)
	VPSRLW(U8(8), sum, sum)
	VPADDW(sum, odd, odd)
	ADDQ(U8(64), codes)
	ADDQ(U8(64), table)
	SUBQ(U8(2), left)
	JNZ(LabelRef("rows"))

	first, second, a := YMM(), YMM(), YMM()
	VPUNPCKLWD(odd, even, first)  // vectors 0 to 7 and 16 to 23
	VPUNPCKHWD(odd, even, second) // 8 to 15 and 24 to 31
	VPERM2I128(U8(0x20), second, first, a)
	VMOVDQU(a, Mem{Base: out})
	VPERM2I128(U8(0x31), second, first, a)
	VMOVDQU(a, Mem{Base: out, Disp: 32})
	ADDQ(U8(64), out)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// signed expands each bit to a byte, and negates the levels whose bits are not set.
func signed() {
	TEXT("signedAVX2", NOSPLIT, "func(code *byte, levels *int8, n int) int32")
	Doc("signedAVX2 is [portableSigned]; n, in bytes of code, is a multiple of 16 over 0.")
	code, levels := Load(Param("code"), GP64()), Load(Param("levels"), GP64())
	n := Load(Param("n"), GP64())
	spread := GLOBL("spread", RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, U64(0x0101010101010101*uint64(i)))
	}
	each := GLOBL("each", RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, U64(0x8040201008040201))
	}
	places, bits, zero, ones, sum := YMM(), YMM(), YMM(), YMM(), YMM()
	VMOVDQU(spread, places)
	VMOVDQU(each, bits)
	VPXOR(zero, zero, zero)
	VPCMPEQB(ones, ones, ones)
	VPABSB(ones, ones)
	VPXOR(sum, sum, sum)
	Label("signed")
	for part := range 4 {
		v := YMM()
		VPBROADCASTD(Mem{Base: code, Disp: 4 * part}, v)
		VPSHUFB(places, v, v)
		VPAND(bits, v, v)
		VPCMPEQB(zero, v, v) // -1 where the bit is not set
		VPOR(ones, v, v)     // and 1 where it is
		signed := YMM()
		VMOVDQU(Mem{Base: levels, Disp: 32 * part}, signed)
		VPSIGNB(v, signed, signed)
		VPMADDUBSW(signed, ones, signed) // pairs
		VPADDW(signed, sum, sum)
	}
	ADDQ(U8(16), code)
	SUBQ(I8(-128), levels)
	SUBQ(U8(16), n)
	JNZ(LabelRef("signed"))
	words := YMM()
	VPCMPEQW(words, words, words)
	VPABSW(words, words)
	VPMADDWD(words, sum, sum)
	returnSum(sum)
}

// returnSum returns the sum of eight numbers.
func returnSum(of reg.VecVirtual) {
	x, y := of.AsX(), XMM()
	VEXTRACTI128(U8(1), of, y)
	VPADDD(y, x, x)
	VPHADDD(x, x, x)
	VPHADDD(x, x, x)
	total := GP32()
	VMOVD(x, total)
	Store(total, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// broadcast loads a parameter into all lanes of a register.
func broadcast(name string, into reg.VecVirtual) reg.VecVirtual {
	address, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(address.Addr, into)
	return into
}

// fetch prefetches each line of some rows.
func fetch() {
	TEXT("fetchLines", NOSPLIT, "func(base *byte, width int, rows *uint16, n int)")
	Doc("fetchLines fetches n rows of width bytes, over 0, into the cache.")
	base, width := Load(Param("base"), GP64()), Load(Param("width"), GP64())
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	Label("row")
	at, end := GP64(), GP64()
	MOVWQZX(Mem{Base: rows}, at)
	IMULQ(width, at)
	ADDQ(base, at)
	LEAQ(Mem{Base: at, Index: width, Scale: 1}, end)
	Label("line")
	PREFETCHT0(Mem{Base: at})
	ADDQ(U8(64), at)
	CMPQ(at, end)
	JB(LabelRef("line"))
	ADDQ(U8(2), rows)
	DECQ(n)
	JNZ(LabelRef("row"))
	RET()
}

// above computes a mask of 32 bits a block.
func above() {
	TEXT("aboveAVX2", NOSPLIT,
		"func(masks *uint32, sums *uint16, scales *float32, blocks int, step, shift, limit "+
			"float32)")
	Doc("aboveAVX2 is [portableAbove] of whole blocks.")
	masks, sums := Load(Param("masks"), GP64()), Load(Param("sums"), GP64())
	scales, blocks := Load(Param("scales"), GP64()), Load(Param("blocks"), GP64())
	step, shift, limit := broadcast("step", YMM()), broadcast("shift", YMM()),
		broadcast("limit", YMM())
	Label("next")
	mask := GP32()
	XORL(mask, mask)
	for part := range 4 {
		v, bits := YMM(), GP32()
		VPMOVZXWD(Mem{Base: sums, Disp: 16 * part}, v)
		VCVTDQ2PS(v, v)
		VMULPS(step, v, v)
		VADDPS(shift, v, v)
		VMULPS(Mem{Base: scales, Disp: 32 * part}, v, v)
		VCMPPS(U8(5), limit, v, v) // not less than, so that NaN counts
		VMOVMSKPS(v, bits)
		if part > 0 {
			SHLL(U8(8*part), bits)
		}
		ORL(bits, mask)
	}
	MOVL(mask, Mem{Base: masks})
	ADDQ(U8(4), masks)
	ADDQ(U8(64), sums)
	ADDQ(U8(128), scales)
	DECQ(blocks)
	JNZ(LabelRef("next"))
	VZEROUPPER()
	RET()
}

// cosine multiplies and adds in the order of the portable twin, so that results are the same, bit
// for bit: no fused operations, and eight lanes added pairwise.
func cosine() {
	TEXT("dotAVX2", NOSPLIT, "func(a, b *float32, n int) float32")
	Doc("dotAVX2 is [portableDot], to the last bit; n is a multiple of 8 over 0.")
	a, b := Load(Param("a"), GP64()), Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	sum := YMM()
	VXORPS(sum, sum, sum)
	Label("dot")
	v := YMM()
	VMOVUPS(Mem{Base: a}, v)
	VMULPS(Mem{Base: b}, v, v)
	VADDPS(v, sum, sum)
	ADDQ(U8(32), a)
	ADDQ(U8(32), b)
	SUBQ(U8(8), n)
	JNZ(LabelRef("dot"))
	x, y := sum.AsX(), XMM()
	VEXTRACTF128(U8(1), sum, y)
	VHADDPS(y, x, x) // s0+s1, s2+s3, s4+s5, s6+s7
	VHADDPS(x, x, x)
	VHADDPS(x, x, x)
	Store(x, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// hadamard computes the steps of the transform at the distances 1, 2 and 4 within a register, and
// the others between two.
func hadamard() {
	TEXT("hadamardAVX2", NOSPLIT, "func(v *float32, n int)")
	Doc("hadamardAVX2 is [portableHadamard]; n is a power of two over 4.")
	v := Load(Param("v"), GP64())
	end := Load(Param("n"), GP64())
	SHLQ(U8(2), end) // bytes
	within(v, end)
	stride := GP64()
	MOVQ(U32(32), stride)
	Label("strides")
	CMPQ(stride, end)
	JGE(LabelRef("done"))
	start := GP64()
	XORQ(start, start)
	Label("groups")
	a, b, left := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: v, Index: start, Scale: 1}, a)
	LEAQ(Mem{Base: a, Index: stride, Scale: 1}, b)
	MOVQ(stride, left)
	Label("pairs")
	x, y, s := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: a}, x)
	VMOVUPS(Mem{Base: b}, y)
	VADDPS(y, x, s)
	VSUBPS(y, x, x)
	VMOVUPS(s, Mem{Base: a})
	VMOVUPS(x, Mem{Base: b})
	ADDQ(U8(32), a)
	ADDQ(U8(32), b)
	SUBQ(U8(32), left)
	JNZ(LabelRef("pairs"))
	LEAQ(Mem{Base: start, Index: stride, Scale: 2}, start)
	CMPQ(start, end)
	JLT(LabelRef("groups"))
	SHLQ(U8(1), stride)
	JMP(LabelRef("strides"))
	Label("done")
	VZEROUPPER()
	RET()
}

// within adds to each number its partner in the register; if the number is the second of the two,
// it is subtracted from the partner.
func within(v, end reg.Register) {
	var signs [3]reg.VecVirtual
	for step := range signs {
		mask := GLOBL(fmt.Sprintf("second%d", 1<<step), RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(uint32(i>>step&1)<<31))
		}
		signs[step] = YMM()
		VMOVUPS(mask, signs[step])
	}
	at := GP64()
	XORQ(at, at)
	Label("within")
	x := YMM()
	VMOVUPS(Mem{Base: v, Index: at, Scale: 1}, x)
	for step, sign := range signs {
		partner := YMM()
		switch step {
		case 0:
			VPERMILPS(U8(0b10_11_00_01), x, partner)
		case 1:
			VPERMILPS(U8(0b01_00_11_10), x, partner)
		case 2:
			VPERM2F128(U8(0x01), x, x, partner)
		}
		VXORPS(sign, x, x)
		VADDPS(x, partner, x)
	}
	VMOVUPS(x, Mem{Base: v, Index: at, Scale: 1})
	ADDQ(U8(32), at)
	CMPQ(at, end)
	JLT(LabelRef("within"))
}
