package record

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func FuzzVector(f *testing.F) {
	f.Add(1, []byte{0, 0, 128, 63})
	f.Add(1, []byte{1, 2, 3})
	f.Add(1, []byte{})
	f.Add(2, []byte{0, 0, 128, 63})
	f.Fuzz(func(t *testing.T, encoding int, b []byte) {
		v, err := DecodeVector(encoding, b)
		if valid := encoding == 1 && len(b) > 0 && len(b)%4 == 0; valid != (err == nil) {
			t.Fatalf("encoding %d, %d bytes: %v", encoding, len(b), err)
		}
		if err == nil && !slices.Equal(EncodeVector(v), b) {
			t.Error("a vector changed on its way")
		}
	})
}

func FuzzParseID(f *testing.F) {
	id := uuid.NewString()
	for _, text := range []string{id, strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id,
		strings.ReplaceAll(id, "-", ""), id[1:], id + "0", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := ParseID(text)
		if ok != (len(text) == 36 && text == strings.ToLower(text) && uuid.Validate(text) == nil) {
			t.Errorf("ParseID(%q) accepts it: %v", text, ok)
		}
		if ok && id.String() != text {
			t.Errorf("ParseID(%q) = %s", text, id)
		}
	})
}

func TestParseID(t *testing.T) {
	id := uuid.NewString()
	for text, want := range map[string]bool{id: true, "ABCDEF00-0000-4000-8000-000000000000": false,
		"{" + id + "}": false, "urn:uuid:" + id: false, "": false} {
		if _, ok := ParseID(text); ok != want {
			t.Errorf("ParseID(%q) accepts it: %v", text, ok)
		}
	}
}

// Six digits are what C's %g prints, rounding changes a number by half a unit of the sixth digit at
// most, and what is rounded stays so.
func TestStored(t *testing.T) {
	for x, want := range map[float32]float32{
		0.24770642817020416: 0.247706, 99.99999237060547: 100, 99.993408203125: 99.9934, 0: 0, 1: 1,
		-0.1:            -0.1,
		math.MaxFloat32: math.MaxFloat32, math.SmallestNonzeroFloat32: math.SmallestNonzeroFloat32,
	} {
		if got := stored(x); got != want &&
			strconv.FormatFloat(float64(got), 'g', 6, 64) != strconv.FormatFloat(float64(want), 'g',
				6, 64) {
			t.Errorf("stored(%v) = %v, want %v", x, got, want)
		}
	}
	for range 10000 {
		x := float32(math.Ldexp(rand.Float64()-0.5, rand.IntN(60)-30))
		got := stored(x)
		if math.Abs(float64(got)-float64(x)) > 5.1e-6*math.Abs(float64(x)) {
			t.Errorf("stored(%v) = %v", x, got)
		}
		if again := stored(got); again != got {
			t.Errorf("stored(%v) = %v, and again %v", x, got, again)
		}
	}
}
