package vision_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// The cosine of vectors of two networks is the weighted mean of the networks' cosines. The second
// one is here the first again, which sees colours in the wrong order.
func TestTwoEmbeddings(t *testing.T) {
	single := newEngine(t, vision.Options{})
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 1)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*pack.Pack)) *vision.Engine {
		p, err := pack.Load(filepath.Join(installed, "packs", "default"))
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		e, err := vision.New(p, r, vision.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	swapped := with(func(p *pack.Pack) { p.Embed.Input.Color = pack.RGB })
	const weight = 0.25
	both := with(func(p *pack.Pack) {
		second := p.Embed
		second.Input.Color = pack.RGB
		p.EmbedSecond, p.EmbedSecondWeight = &second, weight
	})
	if got, want := both.Dimension(), 2*single.Dimension(); got != want {
		t.Errorf("the dimension is %d, want %d", got, want)
	}
	var vectors [3][2][]float32
	for i, e := range []*vision.Engine{single, swapped, both} {
		for k, name := range []string{"0001", "0002"} {
			photo := detect(t, e, read(t, "lfw/images/Aaron_Peirsol/Aaron_Peirsol_"+name+".jpg"))
			v, err := photo.Embed(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			vectors[i][k] = v[0]
		}
	}
	if got := verification.Dot(vectors[2][0], vectors[2][0]); math.Abs(float64(got)-1) > 1e-5 {
		t.Errorf("a vector's length is the root of %v", got)
	}
	want := (1-weight)*verification.Dot(vectors[0][0], vectors[0][1]) +
		weight*verification.Dot(vectors[1][0], vectors[1][1])
	got := verification.Dot(vectors[2][0], vectors[2][1])
	if math.Abs(float64(got-want)) > 1e-5 {
		t.Errorf("the cosine is %v, want %v", got, want)
	}
	if _, err := both.RunNetworks(t.Context()); err != nil {
		t.Error(err)
	}
}
