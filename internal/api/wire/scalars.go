package wire

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Float is a floating-point number of the API. It is written as the service writes it: widened to
// 64 bits and then shortest, in the notation of Java's Double.toString. So there always is a
// fraction (100.0), and numbers below 0.001 or from 10,000,000 have an exponent (1.0E-4). Infinity
// and NaN can be read, so that [Validate] reports them, and cannot be written.
type Float float32

// MarshalJSONTo writes the number.
func (f Float) MarshalJSONTo(enc *jsontext.Encoder) error {
	if !f.isFinite() {
		return errors.New("a number that is not finite")
	}
	return enc.WriteValue(appendFloat(enc.AvailableBuffer(), float64(f), 64))
}

// UnmarshalJSONFrom reads any JSON number, rounded to 32 bits. One beyond them is an error. As AWS
// JSON 1.1 has it, the texts "NaN", "Infinity" and "-Infinity" are the values that no JSON number
// stands for.
func (f *Float) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		text, err := dec.ReadToken()
		if err != nil {
			return err
		}
		v, ok := notFinite(text.String())
		if !ok {
			return mismatch('"', "Float")
		}
		*f = v
		return nil
	}
	number, err := readNumber(dec, "Float")
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(string(number), 32)
	if err != nil {
		return outOfRange("Float")
	}
	*f = Float(v)
	return nil
}

// notFinite returns the value that a text stands for, and false for any other text.
func notFinite(text string) (Float, bool) {
	switch text {
	case "NaN":
		return Float(math.NaN()), true
	case "Infinity":
		return Float(math.Inf(1)), true
	case "-Infinity":
		return Float(math.Inf(-1)), true
	}
	return 0, false
}

// isFinite reports whether f is neither NaN nor infinite.
func (f Float) isFinite() bool {
	return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0)
}

// appendFloat writes a number in the notation of Java's Double.toString (or, for 32 bits,
// Float.toString): plain with a fraction from 1e-3 to 1e7, with an exponent elsewhere, and NaN,
// Infinity and -Infinity.
func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	start := len(b)
	if size := math.Abs(v); size == 0 || size >= 1e-3 && size < 1e7 {
		b = strconv.AppendFloat(b, v, 'f', -1, bits)
		if bytes.IndexByte(b[start:], '.') < 0 {
			b = append(b, ".0"...)
		}
		return b
	}
	digits := strconv.AppendFloat(nil, v, 'e', -1, bits)
	mantissa, exponent, _ := bytes.Cut(digits, []byte("e"))
	b = append(b, mantissa...)
	if bytes.IndexByte(mantissa, '.') < 0 {
		b = append(b, ".0"...)
	}
	b = append(b, 'E')
	if exponent[0] == '-' {
		b = append(b, '-')
	}
	return append(b, bytes.TrimLeft(exponent, "+-0")...)
}

// Timestamp is a moment of the API, written as seconds since 1970 with a fraction of up to three
// digits (1569444828.274), rounded down to milliseconds.
type Timestamp time.Time

// The moments that a Timestamp can have on the wire: years 1 to 9999.
const (
	minMillis = -62135596800_000
	maxMillis = 253402300799_999
)

// MarshalJSONTo writes the number of seconds. A moment outside the years 1 to 9999 is an error.
func (t Timestamp) MarshalJSONTo(enc *jsontext.Encoder) error {
	millis := time.Time(t).UnixMilli()
	if millis < minMillis || millis > maxMillis {
		return errors.New("a moment outside the years 1 to 9999")
	}
	b := enc.AvailableBuffer()
	if millis < 0 {
		b = append(b, '-')
		millis = -millis
	}
	b = strconv.AppendInt(b, millis/1000, 10)
	b = append(b, '.', byte('0'+millis/100%10), byte('0'+millis/10%10), byte('0'+millis%10))
	for bytes.HasSuffix(b, []byte("0")) && !bytes.HasSuffix(b, []byte(".0")) {
		b = b[:len(b)-1]
	}
	return enc.WriteValue(b)
}

// UnmarshalJSONFrom reads a number of seconds, rounded to the nearest millisecond, as a moment in
// UTC.
func (t *Timestamp) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	number, err := readNumber(dec, "Timestamp")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(string(number), 64)
	millis := math.Round(seconds * 1000)
	if err != nil || millis < minMillis || millis > maxMillis {
		return outOfRange("Timestamp")
	}
	*t = Timestamp(time.UnixMilli(int64(millis)).UTC())
	return nil
}

// readNumber reads a JSON number, which is valid until the next read.
func readNumber(dec *jsontext.Decoder, target string) (jsontext.Value, error) {
	if kind := dec.PeekKind(); kind != '0' {
		return nil, unexpected(dec, kind, target)
	}
	return dec.ReadValue()
}

// readInteger reads an integer of the given size. Like the service it takes 5.0 and 5e0 for 5.
func readInteger(dec *jsontext.Decoder, bits int, target string) (int64, error) {
	number, err := readNumber(dec, target)
	if err != nil {
		return 0, err
	}
	digits, whole := wholeDigits(number)
	if !whole {
		return 0, &SerializationError{"NUMBER_VALUE with a fraction cannot be converted to " +
			target}
	}
	v, err := strconv.ParseInt(digits, 10, bits)
	if err != nil {
		return 0, outOfRange(target)
	}
	return v, nil
}

// wholeDigits returns the plain decimal digits of a JSON number, and false if it is not whole. A
// number of more than maxDigits digits comes back as one that is too large for any integer.
func wholeDigits(number []byte) (string, bool) {
	const maxDigits = 20
	mantissa, exponent := number, 0
	if i := bytes.IndexAny(number, "eE"); i >= 0 {
		mantissa = number[:i]
		// An exponent that does not fit saturates, and is as good as any other large one.
		e, _ := strconv.ParseInt(string(number[i+1:]), 10, 32)
		exponent = int(e)
	}
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	exponent -= len(fraction)
	digits := bytes.TrimLeft(append(bytes.Clone(whole), fraction...), "0")
	if len(digits) == 0 {
		return "0", true
	}
	significant := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(significant)
	if exponent < 0 {
		return "", false
	}
	zeros := min(exponent, maxDigits)
	return sign + string(significant[:min(len(significant), maxDigits)]) +
		string(bytes.Repeat([]byte("0"), zeros)), true
}
