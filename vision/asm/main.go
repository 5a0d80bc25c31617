// Command asm writes the AVX2 kernels of package vision: see the portable twins in kernels.go for what each computes. They multiply and add in
// the twins' order, without fused operations, so that every machine sees the same.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	blend()
	add()
	normalise()
	rgb()
	stretch()
	Generate()
}

// pointer loads a parameter.
func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// broadcast loads a parameter into all lanes.
func broadcast(name string) reg.VecVirtual {
	y := YMM()
	address, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(address.Addr, y)
	return y
}

// constant puts a number into all lanes.
func constant(name string, v float32) reg.VecVirtual {
	y := YMM()
	VBROADCASTSS(ConstData(name, U32(math.Float32bits(v))), y) // F32 writes whole numbers as integers
	return y
}

// loop repeats body for each eight of n, whose offset in bytes of float32 it gets, and returns.
func loop(n reg.GPVirtual, body func(at reg.GPVirtual)) {
	at := GP64()
	XORQ(at, at)
	SHLQ(U8(2), n)
	Label("next")
	body(at)
	ADDQ(U8(32), at)
	CMPQ(at, n)
	JLT(LabelRef("next"))
	VZEROUPPER()
	RET()
}

func lane(base, at reg.GPVirtual) Mem { return Mem{Base: base, Index: at, Scale: 1} }

func blend() {
	TEXT("blendAVX2", NOSPLIT, "func(out, a, b *float32, n int, wa, wb float32)")
	Doc("blendAVX2 is [portableBlend]; n is a multiple of 8 over 0.")
	out, a, b, n := pointer("out"), pointer("a"), pointer("b"), pointer("n")
	wa, wb := broadcast("wa"), broadcast("wb")
	loop(n, func(at reg.GPVirtual) {
		x, y := YMM(), YMM()
		VMULPS(lane(a, at), wa, x)
		VMULPS(lane(b, at), wb, y)
		VADDPS(y, x, x)
		VMOVUPS(x, lane(out, at))
	})
}

func add() {
	TEXT("addAVX2", NOSPLIT, "func(out, a *float32, n int, w float32)")
	Doc("addAVX2 is [portableAdd]; n is a multiple of 8 over 0.")
	out, a, n := pointer("out"), pointer("a"), pointer("n")
	w := broadcast("w")
	loop(n, func(at reg.GPVirtual) {
		x := YMM()
		VMULPS(lane(a, at), w, x)
		VADDPS(lane(out, at), x, x)
		VMOVUPS(x, lane(out, at))
	})
}

func normalise() {
	TEXT("normaliseAVX2", NOSPLIT, "func(v *float32, n int, mean, factor float32)")
	Doc("normaliseAVX2 is [portableNormalise]; n is a multiple of 8 over 0.")
	v, n := pointer("v"), pointer("n")
	mean, factor := broadcast("mean"), broadcast("factor")
	loop(n, func(at reg.GPVirtual) {
		x := YMM()
		VMOVUPS(lane(v, at), x)
		VSUBPS(mean, x, x)
		VMULPS(factor, x, x)
		VMOVUPS(x, lane(v, at))
	})
}

func rgb() {
	TEXT("rgbAVX2", NOSPLIT, "func(c0, c1, c2 *float32, n int)")
	Doc("rgbAVX2 is [portableRGB]; n is a multiple of 8 over 0.")
	c0, c1, c2, n := pointer("c0"), pointer("c1"), pointer("c2"), pointer("n")
	middle, most, zero := constant("middle", 128), constant("most", 255), YMM()
	VXORPS(zero, zero, zero)
	redCr, greenCb, greenCr, blueCb := constant("redCr", 1.402), constant("greenCb", 0.344136), constant("greenCr", 0.714136), constant("blueCb", 1.772)
	loop(n, func(at reg.GPVirtual) {
		y, cb, cr, t := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(lane(c0, at), y)
		VMOVUPS(lane(c1, at), cb)
		VMOVUPS(lane(c2, at), cr)
		VSUBPS(middle, cb, cb)
		VSUBPS(middle, cr, cr)
		store := func(base reg.GPVirtual) {
			VMAXPS(zero, t, t)
			VMINPS(most, t, t)
			VMOVUPS(t, lane(base, at))
		}
		VMULPS(redCr, cr, t)
		VADDPS(t, y, t)
		store(c0)
		u := YMM()
		VMULPS(greenCb, cb, t)
		VSUBPS(t, y, t)
		VMULPS(greenCr, cr, u)
		VSUBPS(u, t, t)
		store(c1)
		VMULPS(blueCb, cb, t)
		VADDPS(t, y, t)
		store(c2)
	})
}

// stretch gathers four bytes for each value, of which it takes the first two.
func stretch() {
	TEXT("stretchAVX2", NOSPLIT, "func(out *float32, in *byte, first *int32, w0, w1 *float32, n int)")
	Doc("stretchAVX2 is [portableStretch]; n is a multiple of 8 over 0, and in has four bytes from each first on.")
	out, in, first := pointer("out"), pointer("in"), pointer("first")
	w0, w1, n := pointer("w0"), pointer("w1"), pointer("n")
	low := YMM() // 0xff in each lane
	VPCMPEQD(low, low, low)
	VPSRLD(U8(24), low, low)
	loop(n, func(at reg.GPVirtual) {
		index, bytes, mask, a, b := YMM(), YMM(), YMM(), YMM(), YMM()
		VMOVDQU(lane(first, at), index)
		VPCMPEQD(mask, mask, mask)
		VPXOR(bytes, bytes, bytes)
		VPGATHERDD(mask, Mem{Base: in, Index: index, Scale: 1}, bytes)
		VPAND(low, bytes, a)
		VPSRLD(U8(8), bytes, b)
		VPAND(low, b, b)
		VCVTDQ2PS(a, a)
		VCVTDQ2PS(b, b)
		VMULPS(lane(w0, at), a, a)
		VMULPS(lane(w1, at), b, b)
		VADDPS(b, a, a)
		VMOVUPS(a, lane(out, at))
	})
}
