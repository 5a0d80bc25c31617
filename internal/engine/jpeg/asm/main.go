// Command asm writes the AVX2 kernel of package jpeg. Its portable twin is in full.go.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	full()
	Generate()
}

type eight [8]reg.VecVirtual

// full transforms eight rows at once, and then eight columns.
func full() {
	TEXT("fullAVX2", NOSPLIT, "func(out *byte, stride int, b *[64]int32)")
	Doc("fullAVX2 is [portableFull] of any coefficients.")
	out := Load(Param("out"), GP64()).(reg.GPVirtual)
	stride := Load(Param("stride"), GP64()).(reg.GPVirtual)
	b := Load(Param("b"), GP64()).(reg.GPVirtual)
	var x eight
	for i := range x {
		x[i] = YMM()
		VMOVDQU(Mem{Base: b, Disp: 32 * i}, x[i])
	}
	x = transposed(x)
	x = transform(rowsSteps(), x)
	x = transposed(x)
	x = transform(columnsSteps(), x)
	store(out, stride, x)
	zero := YMM()
	VPXOR(zero, zero, zero)
	for i := range x {
		VMOVDQU(zero, Mem{Base: b, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}

// store writes eight rows of values with 18 fraction bits, plus 128 and clamped to bytes.
func store(out, stride reg.GPVirtual, x eight) {
	middle, order := YMM(), YMM()
	VPBROADCASTW(ConstData("middle", U16(128)), middle)
	places := GLOBL("order", RODATA|NOPTR)
	for i, place := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(place))
	}
	VMOVDQU(places, order)
	for half := range 2 {
		var pairs [2]reg.VecVirtual
		for i := range pairs {
			evenRow, oddRow := x[4*half+2*i], x[4*half+2*i+1]
			VPSRAD(U8(18), evenRow, evenRow)
			VPSRAD(U8(18), oddRow, oddRow)
			pairs[i] = YMM()
			VPACKSSDW(oddRow, evenRow, pairs[i])
			VPADDW(middle, pairs[i], pairs[i])
		}
		rows := YMM()
		VPACKUSWB(pairs[1], pairs[0], rows)
		VPERMD(rows, order, rows)
		upper := XMM()
		VEXTRACTI128(U8(1), rows, upper)
		VMOVQ(rows.AsX(), Mem{Base: out})
		VPEXTRQ(U8(1), rows.AsX(), Mem{Base: out, Index: stride, Scale: 1})
		LEAQ(Mem{Base: out, Index: stride, Scale: 2}, out)
		VMOVQ(upper, Mem{Base: out})
		VPEXTRQ(U8(1), upper, Mem{Base: out, Index: stride, Scale: 1})
		if half == 0 {
			LEAQ(Mem{Base: out, Index: stride, Scale: 2}, out)
		}
	}
}

// transposed returns the transpose.
func transposed(x eight) (y eight) {
	var t, u eight
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VPUNPCKLDQ(x[i+1], x[i], t[i])
		VPUNPCKHDQ(x[i+1], x[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			u[i+2*j], u[i+2*j+1] = YMM(), YMM()
			VPUNPCKLQDQ(t[i+2+j], t[i+j], u[i+2*j])
			VPUNPCKHQDQ(t[i+2+j], t[i+j], u[i+2*j+1])
		}
	}
	for i := range 4 {
		y[i], y[4+i] = YMM(), YMM()
		VPERM2I128(U8(0x20), u[4+i], u[i], y[i])
		VPERM2I128(U8(0x31), u[4+i], u[i], y[4+i])
	}
	return y
}

func add(a, b reg.VecVirtual) reg.VecVirtual { r := YMM(); VPADDD(b, a, r); return r }

func sub(a, b reg.VecVirtual) reg.VecVirtual { r := YMM(); VPSUBD(b, a, r); return r }

func left(a reg.VecVirtual,
	bits uint8) reg.VecVirtual {
	r := YMM()
	VPSLLD(U8(bits), a, r)
	return r
}

func right(a reg.VecVirtual,
	bits uint8) reg.VecVirtual {
	r := YMM()
	VPSRAD(U8(bits), a, r)
	return r
}

// constants are the vectors in memory with a constant in all lanes.
var constants = map[int32]Mem{}

func times(a reg.VecVirtual, constant int32) reg.VecVirtual {
	m, ok := constants[constant]
	if !ok {
		m = GLOBL(fmt.Sprintf("times%d", constant), RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, I32(constant))
		}
		constants[constant] = m
	}
	r := YMM()
	VPMULLD(m, a, r)
	return r
}

// steps are the parts of the transform that differ between rows and columns.
type steps struct {
	// the scaled sum and difference of x0 and x4
	sumAndDifference func(x0, x4 reg.VecVirtual) (sum, difference reg.VecVirtual)

	even     func(x reg.VecVirtual) reg.VecVirtual // of x2 and x6, before they are multiplied
	cos, sin int32                                 // of 6 pi/16
	outer    func(x reg.VecVirtual) reg.VecVirtual // of x1 and x7
	inner    func(x reg.VecVirtual) reg.VecVirtual // of x3 and x5
	odd      uint8                                 // bits that the odd part is shifted by
}

func same(x reg.VecVirtual) reg.VecVirtual { return x }

func rowsSteps() steps {
	return steps{
		sumAndDifference: func(x0, x4 reg.VecVirtual) (sum, difference reg.VecVirtual) {
			x0, x4 = left(x0, 17), left(x4, 17)
			return add(x0, x4), sub(x0, x4)
		},
		even: same, cos: 70936, sin: 171254,
		outer: func(x reg.VecVirtual) reg.VecVirtual { return left(x, 7) },
		inner: func(x reg.VecVirtual) reg.VecVirtual { return times(x, 181) },
		odd:   2,
	}
}

func columnsSteps() steps {
	return steps{
		sumAndDifference: func(x0, x4 reg.VecVirtual) (sum, difference reg.VecVirtual) {
			half := YMM()
			VPBROADCASTD(ConstData("half", U32(1<<19)), half)
			x0 = add(x0, half)
			return right(add(x0, x4), 2), right(sub(x0, x4), 2)
		},
		even: func(x reg.VecVirtual) reg.VecVirtual { return right(x, 13) }, cos: 1108, sin: 2676,
		outer: same,
		inner: func(x reg.VecVirtual) reg.VecVirtual { return times(right(x, 13), 11585) },
		odd:   14,
	}
}

func transform(s steps, x eight) (y eight) {
	p, q := s.sumAndDifference(x[0], x[4])
	x2, x6 := s.even(x[2]), s.even(x[6])
	r1 := sub(times(x2, s.cos), times(x6, s.sin))
	r2 := add(times(x2, s.sin), times(x6, s.cos))
	e0, e3, e1, e2 := add(p, r2), sub(p, r2), add(q, r1), sub(q, r1)

	x1, x7 := s.outer(x[1]), s.outer(x[7])
	o7, o4 := add(x1, x7), sub(x1, x7)
	o5, o6 := s.inner(x[3]), s.inner(x[5])
	o7, o5, o4, o6 = add(o7, o5), sub(o7, o5), add(o4, o6), sub(o4, o6)
	o4, o5, o6, o7 = right(o4, s.odd), right(o5, s.odd), right(o6, s.odd), right(o7, s.odd)
	o4, o7 = sub(times(o4, 3406), times(o7, 2276)), add(times(o4, 2276), times(o7, 3406))
	o5, o6 = sub(times(o5, 4017), times(o6, 799)), add(times(o5, 799), times(o6, 4017))

	return eight{add(e0, o7), add(e1, o6), add(e2, o5), add(e3, o4), sub(e3, o4), sub(e2, o5),
		sub(e1, o6), sub(e0, o7)}
}
