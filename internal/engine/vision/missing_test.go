package vision_test

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// twoPeople is a picture with a face in its upper and another in its lower half, of which the one
// at large is twice as large.
func twoPeople(t *testing.T, large int) image.Image {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 600, 1000))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for i, name := range []string{"Aaron_Guiel/Aaron_Guiel_0001.jpg",
		"Aaron_Peirsol/Aaron_Peirsol_0001.jpg"} {
		person, err := jpeg.Decode(bytes.NewReader(read(t, "lfw/images/"+name)))
		if err != nil {
			t.Fatal(err)
		}
		scale := 1
		if i == large {
			scale = 2
		}
		for y := range 250 * scale {
			for x := range 250 * scale {
				img.Set(x, 500*i+y, person.At(x/scale, y/scale))
			}
		}
	}
	return img
}

// Of a picture that is cut off those faces are found that are wholly there, as they are in the
// whole picture. It is refused if that is none, or not the largest.
func TestDetectInCutPictures(t *testing.T) {
	e := newEngine(t, vision.Options{})
	encoders := map[string]func(*bytes.Buffer, image.Image) error{
		"JPEG": func(b *bytes.Buffer, img image.Image) error {
			return jpeg.Encode(b, img, &jpeg.Options{Quality: 90})
		},
		"PNG": func(b *bytes.Buffer, img image.Image) error { return png.Encode(b, img) },
	}
	for kind, encode := range encoders {
		for large := range 2 {
			var b bytes.Buffer
			if err := encode(&b, twoPeople(t, large)); err != nil {
				t.Fatal(err)
			}
			photo := detect(t, e, b.Bytes())
			whole := photo.Faces()
			vectors, err := photo.Embed(t.Context(), 0, 1)
			if err != nil || len(whole) != 2 {
				t.Fatalf("%s: %d faces, %v", kind, len(whole), err)
			}
			seen := map[int]int{}
			for percent := 4; percent < 100; percent += 8 {
				photo, err := e.Detect(t.Context(), b.Bytes()[:b.Len()*percent/100], 0)
				if err != nil {
					if recollect.CodeOf(err) != recollect.CodeInvalidImageFormat {
						t.Fatalf("%s cut at %d %%: %v", kind, percent, err)
					}
					seen[0]++
					continue
				}
				faces := photo.Faces()
				seen[len(faces)]++
				for i, f := range faces {
					of := i
					if len(faces) == 1 {
						of = large // the upper one, and the largest is first
					}
					if d := f.BoundingBox.Top - whole[of].BoundingBox.Top; max(d, -d) > 0.02 {
						t.Errorf("%s cut at %d %%: a face is at %v, not %v", kind, percent,
							f.BoundingBox, whole[of].BoundingBox)
					}
					vector, err := photo.Embed(t.Context(), i)
					if err != nil {
						t.Fatal(err)
					}
					if cosine := dot(vector[0], vectors[of]); e.Similarity(cosine) < 99 {
						t.Errorf("%s cut at %d %%: a face is %.1f %% like itself", kind, percent,
							e.Similarity(cosine))
					}
				}
			}
			if seen[0] == 0 || seen[1] == 0 {
				t.Errorf("%s: so often so many faces were seen: %v", kind, seen)
			}
		}
	}
}

func dot(a, b []float32) (sum float32) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
