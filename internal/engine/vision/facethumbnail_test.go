package vision_test

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// TestFaceThumbnail: a thumbnail shows its own face and no other. Composed with a larger picture,
// it is detected as a face.
func TestFaceThumbnail(t *testing.T) {
	e := newEngine(t, vision.Options{})
	photo := detect(t, e, read(t, "group/cf_013_4.jpg"))
	faces := []int{0, 1, 2, 3}
	vectors, err := photo.Embed(t.Context(), faces...)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range faces {
		small, err := photo.Thumbnail(i)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Size() != image.Pt(112, 112) || len(small) > 10_000 {
			t.Errorf("face %d: %v, %d bytes", i, img.Bounds().Size(), len(small))
		}
		around := image.NewRGBA(image.Rect(0, 0, 224, 224))
		draw.Draw(around, around.Bounds(), image.White, image.Point{}, draw.Src)
		draw.Draw(around, image.Rect(56, 56, 168, 168), img, image.Point{}, draw.Src)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, around, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		again := detect(t, e, b.Bytes())
		if len(again.Faces()) != 1 {
			t.Errorf("face %d: %d faces are seen in its thumbnail", i, len(again.Faces()))
			continue
		}
		seen, err := again.Embed(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range vectors {
			if got := e.Similarity(verification.Dot(seen[0], v)); (i == j) != (got >= 90) {
				t.Errorf("the thumbnail of face %d has similarity %v with face %d", i, got, j)
			}
		}
	}
	for _, i := range []int{-1, len(photo.Faces())} {
		if _, err := photo.Thumbnail(i); err == nil {
			t.Errorf("there is a thumbnail of face %d", i)
		}
	}
}
