// Command asm writes the AVX2 kernels of package vision. Their portable twins are in kernels.go.
// The kernels multiply and add in the twins' order, without fused operations, so that results are
// the same on every machine.
package main

import (
	"fmt"
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	blend()
	add()
	blend4()
	normalise()
	rgb()
	narrow()
	widen()
	between()
	stretch("stretch", 2, 4)
	stretch("stretch4", 4, 2)
	Generate()
}

// pointer loads a parameter.
func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// broadcast loads a parameter into all lanes.
func broadcast(name string) reg.VecVirtual {
	y := YMM()
	VBROADCASTSS(parameter(name), y)
	return y
}

// parameter returns the memory of a parameter.
func parameter(name string) Mem {
	address, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return address.Addr
}

// constant returns a register with a number in all lanes.
func constant(name string, v float32) reg.VecVirtual {
	y := YMM()
	// F32 writes whole numbers as integers
	VBROADCASTSS(ConstData(name, U32(math.Float32bits(v))), y)
	return y
}

// loop calls body for each eight of n values, with their offset in bytes of float32, and returns
// from the function.
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

func blend4() {
	TEXT("blend4AVX2", NOSPLIT, "func(out, a, b, c, d *float32, n int, wa, wb, wc, wd float32)")
	Doc("blend4AVX2 is [portableBlend4]; n is a multiple of 8 over 0.")
	out, n := pointer("out"), pointer("n")
	var lines [4]reg.GPVirtual
	var weights [4]reg.VecVirtual
	for i, name := range []string{"a", "b", "c", "d"} {
		lines[i], weights[i] = pointer(name), broadcast("w"+name)
	}
	loop(n, func(at reg.GPVirtual) {
		sum := YMM()
		for i, line := range lines {
			if i == 0 {
				VMULPS(lane(line, at), weights[i], sum)
				continue
			}
			x := YMM()
			VMULPS(lane(line, at), weights[i], x)
			VADDPS(x, sum, sum)
		}
		VMOVUPS(sum, lane(out, at))
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
	redCr, greenCb, greenCr, blueCb := constant("redCr", 1.402), constant("greenCb", 0.344136),
		constant("greenCr", 0.714136), constant("blueCb", 1.772)
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

func narrow() {
	TEXT("narrowAVX2", NOSPLIT, "func(out *byte, in *float32, n int)")
	Doc("narrowAVX2 is [portableNarrow]; n is a multiple of 8 over 0.")
	out, in, n := pointer("out"), pointer("in"), pointer("n")
	most, half, zero := constant("mostByte", 255), constant("half", 0.5), YMM()
	VXORPS(zero, zero, zero)
	loop(n, func(at reg.GPVirtual) {
		x, high := YMM(), XMM()
		VMAXPS(lane(in, at), zero, x)
		VMINPS(most, x, x)
		VADDPS(half, x, x)
		VCVTTPS2DQ(x, x)
		VEXTRACTI128(U8(1), x, high)
		VPACKUSDW(high, x.AsX(), high)
		VPACKUSWB(high, high, high)
		VMOVQ(high, Mem{Base: out})
		ADDQ(U8(8), out)
	})
}

func widen() {
	TEXT("widenAVX2", NOSPLIT, "func(out *float32, in *byte, n int)")
	Doc("widenAVX2 is [portableWiden]; n is a multiple of 8 over 0.")
	out, in, n := pointer("out"), pointer("in"), pointer("n")
	loop(n, func(at reg.GPVirtual) {
		x := YMM()
		VPMOVZXBD(Mem{Base: in}, x)
		VCVTDQ2PS(x, x)
		VMOVUPS(x, lane(out, at))
		ADDQ(U8(8), in)
	})
}

// stretch reads sixteen bytes for four values. They contain all samples of the four, since each
// value begins at most four samples, or with four taps two, after the one before.
func stretch(name string, taps, rise int) {
	var weights []string
	for k := range taps {
		weights = append(weights, fmt.Sprintf("w%d", k))
	}
	TEXT(name+"AVX2", NOSPLIT, "func(out *float32, in *byte, first *int32, "+
		strings.Join(weights, ", ")+" *float32, n int)")
	Doc(fmt.Sprintf(
		"%sAVX2 is [portable%s]; n is a multiple of 8 over 0, first rises by at most %d, and in "+
			"has 16 bytes from each first on.",
		name, strings.ToUpper(name[:1])+name[1:], rise))
	out, in, first := pointer("out"), pointer("in"), pointer("first")
	var w []reg.GPVirtual
	for _, name := range weights {
		w = append(w, pointer(name))
	}
	n := pointer("n")
	one, upper := YMM(), YMM() // upper: of a lane all bytes but the lowest, which are to be 0
	VPCMPEQD(one, one, one)
	VPSLLD(U8(31), one, upper)
	VPSRAD(U8(23), upper, upper)
	VPSRLD(U8(31), one, one)
	loop(n, func(at reg.GPVirtual) {
		index, bytes, sum, start := YMM(), YMM(), YMM(), GP64()
		MOVLQSX(lane(first, at), start)
		VMOVDQU(Mem{Base: in, Index: start, Scale: 1}, bytes.AsX())
		MOVLQSX(Mem{Base: first, Index: at, Scale: 1, Disp: 16}, start)
		VINSERTI128(U8(1), Mem{Base: in, Index: start, Scale: 1}, bytes, bytes)
		VMOVDQU(lane(first, at), index)
		VPSHUFD(U8(0), index, sum) // the first of each four
		VPSUBD(sum, index, index)
		VPOR(upper, index, index)
		for k := range taps {
			sample := sum
			if k > 0 {
				sample = YMM()
				VPADDD(one, index, index)
			}
			VPSHUFB(index, bytes, sample)
			VCVTDQ2PS(sample, sample)
			VMULPS(lane(w[k], at), sample, sample)
			if k > 0 {
				VADDPS(sample, sum, sum)
			}
		}
		VMOVUPS(sum, lane(out, at))
	})
}

// between computes eight places in double precision, and loads two neighbours at once from each
// row: gathering them takes as long as loading one after the other.
func between() {
	TEXT("betweenAVX2", NOSPLIT,
		"func(out *float32, pix *byte, stride int, startX, startY, stepX, stepY float64, from, n "+
			"int)")
	Doc("betweenAVX2 is [portableBetween]; n is a multiple of 8 over 0, and neighbours are " +
		"neighbours in memory.")
	out, pix, stride := pointer("out"), pointer("pix"), pointer("stride")
	double := func(name string) reg.VecVirtual {
		y := YMM()
		VBROADCASTSD(parameter(name), y)
		return y
	}
	startX, startY, stepX, stepY := double("startX"), double("startY"), double("stepX"),
		double("stepY")
	one := YMM()
	VBROADCASTSD(ConstData("oneDouble", U64(math.Float64bits(1))), one)
	strides := XMM()
	MOVQ(stride, strides)
	VPBROADCASTD(strides, strides)
	lower := GP64() // the next row
	LEAQ(Mem{Base: pix, Index: stride, Scale: 1}, lower)
	from, n := pointer("from"), pointer("n")
	var counted [2]Mem
	for half := range counted {
		counted[half] = GLOBL(fmt.Sprintf("counted%d", half), RODATA|NOPTR)
		for i := range 4 {
			DATA(4*i, U32(uint32(4*half+i)))
		}
	}

	loop(n, func(at reg.GPVirtual) {
		upperPairs, lowerPairs := XMM(), XMM()
		var fractions [2][2]reg.VecVirtual // of either half of the eight: of x and of y
		for half := range 2 {
			place := YMM() // from+i
			number := XMM()
			MOVQ(from, number)
			VPBROADCASTD(number, number)
			VPADDD(counted[half], number, number)
			VCVTDQ2PD(number, place)
			var whole [2]reg.VecVirtual
			for axis, a := range []struct{ start, step reg.VecVirtual }{{startX, stepX},
				{startY, stepY}} {
				v, back := YMM(), YMM()
				VMULPD(a.step, place, v)
				VADDPD(v, a.start, v)
				VADDPD(one, v, v)
				whole[axis] = XMM()
				VCVTTPD2DQY(v, whole[axis])
				VCVTDQ2PD(whole[axis], back)
				VSUBPD(back, v, v)
				fractions[half][axis] = XMM()
				VCVTPD2PSY(v, fractions[half][axis])
			}
			offset, minus := XMM(), XMM()
			VPCMPEQD(minus, minus, minus) // -1
			VPADDD(minus, whole[1], offset)
			VPMULLD(strides, offset, offset)
			VPADDD(whole[0], offset, offset)
			VPADDD(minus, offset, offset)
			for i := range 4 {
				o := GP64()
				VPEXTRD(U8(i), offset, o.As32())
				VPINSRW(U8(4*half+i), Mem{Base: pix, Index: o, Scale: 1}, upperPairs, upperPairs)
				VPINSRW(U8(4*half+i), Mem{Base: lower, Index: o, Scale: 1}, lowerPairs, lowerPairs)
			}
		}
		ADDQ(U8(8), from)
		fx, fy := YMM(), YMM()
		VINSERTF128(U8(1), fractions[1][0], fractions[0][0].AsY(), fx)
		VINSERTF128(U8(1), fractions[1][1], fractions[0][1].AsY(), fy)
		var rows [2]reg.VecVirtual
		for i, pairs := range []reg.VecVirtual{upperPairs, lowerPairs} {
			left, right := YMM(), YMM()
			VPMOVZXWD(pairs, right) // a pair in each lane
			VPSRLD(U8(8), right, left)
			VPSLLD(U8(24), right, right)
			VPSRLD(U8(24), right, right)
			left, right = right, left
			VCVTDQ2PS(left, left)
			VCVTDQ2PS(right, right)
			VSUBPS(left, right, right)
			VMULPS(right, fx, right)
			rows[i] = YMM()
			VADDPS(right, left, rows[i])
		}
		VSUBPS(rows[0], rows[1], rows[1])
		VMULPS(rows[1], fy, rows[1])
		VADDPS(rows[1], rows[0], rows[0])
		VMOVUPS(rows[0], lane(out, at))
	})
}
