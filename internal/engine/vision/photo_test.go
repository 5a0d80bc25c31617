package vision_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func table(t *testing.T, name string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(read(t, name))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// Every face of the group pictures is detected and nothing else, at its known place if there is
// one. One picture is large enough for tiles; its faces were counted by hand.
func TestDetectGroups(t *testing.T) {
	e := newEngine(t, vision.Options{})
	var all found                                 // in the pictures with known boxes
	truth := map[string][]recollect.BoundingBox{} // in pixels
	for _, row := range table(t, "group/boxes.csv") {
		var n [4]float32
		for i, field := range row[1:] {
			v, err := strconv.ParseFloat(field, 32)
			if err != nil {
				t.Fatal(err)
			}
			n[i] = float32(v)
		}
		truth[row[0]] = append(truth[row[0]],
			recollect.BoundingBox{Left: n[0], Top: n[1], Width: n[2], Height: n[3]})
	}
	for _, row := range append(table(t, "group/counts.csv"), []string{"dlib_bald_guys.jpg", "24"}) {
		t.Run(row[0], func(t *testing.T) {
			want, err := strconv.Atoi(row[1])
			if err != nil {
				t.Fatal(err)
			}
			data := read(t, filepath.Join("group", row[0]))
			faces := detect(t, e, data).Faces()
			if len(faces) != want {
				t.Errorf("found %d faces, want %d", len(faces), want)
			}
			for i, f := range faces {
				check(t, f)
				if i > 0 && area(f) > area(faces[i-1]) {
					t.Errorf("face %d is larger than the one before", i)
				}
			}
			config, err := jpeg.DecodeConfig(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if boxes := truth[row[0]]; boxes != nil {
				all.add(compare(faces, boxes, config.Width, config.Height))
			}
		})
	}
	t.Logf("%d faces, recall %.3f, precision %.3f at an intersection over union of 0.4", all.faces,
		all.recall(), all.precision())
	if all.recall() < 0.95 || all.precision() < 0.98 {
		t.Errorf("recall %.3f and precision %.3f, want 0.95 and 0.98", all.recall(),
			all.precision())
	}
}

func area(f face.FaceDetail) float32 { return f.BoundingBox.Width * f.BoundingBox.Height }

func inside(f face.FaceDetail, x, y float32) bool {
	b := f.BoundingBox
	return x > b.Left && x < b.Left+b.Width && y > b.Top && y < b.Top+b.Height
}

// check checks the properties of every face of the real pictures.
func check(t *testing.T, f face.FaceDetail) {
	t.Helper()
	if f.Confidence < 60 || f.Confidence > 100 {
		t.Errorf("confidence %v", f.Confidence)
	}
	for _, v := range []float32{f.Quality.Brightness, f.Quality.Sharpness} {
		if !(v > 0 && v <= 100) {
			t.Errorf("quality %+v", f.Quality)
		}
	}
	for _, v := range []float32{f.Pose.Roll, f.Pose.Yaw, f.Pose.Pitch} {
		if !(v > -100 && v < 100) {
			t.Errorf("pose %+v", f.Pose)
		}
	}
	at := map[string]face.Landmark{}
	var order []string
	for _, l := range f.Landmarks {
		at[l.Type] = l
		order = append(order, l.Type)
		if !inside(f, l.X, l.Y) {
			t.Errorf("%s is outside of the face", l.Type)
		}
	}
	if want := []string{"eyeLeft", "eyeRight", "mouthLeft", "mouthRight",
		"nose"}; !slices.Equal(order, want) {
		t.Fatalf("landmarks %v, want %v", order, want)
	}
	if at["eyeLeft"].X >= at["eyeRight"].X || at["mouthLeft"].X >= at["mouthRight"].X ||
		at["eyeLeft"].Y >= at["mouthLeft"].Y || at["eyeRight"].Y >= at["mouthRight"].Y ||
		at["nose"].Y >= at["mouthLeft"].Y+0.1 {
		t.Errorf("landmarks out of place: %v", f.Landmarks)
	}
}

func TestDetectRefusesBadFiles(t *testing.T) {
	e := newEngine(t, vision.Options{})
	names, err := filepath.Glob(filepath.Join(shared, "bad", "*"))
	if err != nil || len(names) == 0 {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Detect(t.Context(), data, 0)
		if fault, ok := errors.AsType[*recollect.Error](err); !ok ||
			fault.Code != recollect.CodeInvalidImageFormat {
			t.Errorf("%s: got %v, want that its format is invalid", name, err)
		}
	}
}

// load decodes a shared picture with Go's decoder.
func load(t *testing.T, name string) *image.NRGBA {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewNRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Src)
	return out
}

// change returns a PNG of a picture whose pixel x, y is that of the given function.
func change(t *testing.T, width, height int, at func(x, y int) color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, at(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A JPEG has the same result in all eight orientations; a PNG is processed as it is stored.
func TestDetectTurnsUpright(t *testing.T) {
	e := newEngine(t, vision.Options{})
	img := load(t, "group/dlib_2008_001322.jpg") // 500 x 375
	width, height := img.Rect.Dx(), img.Rect.Dy()
	want := detect(t, e, encodeJPEG(t, img)).Faces()
	if len(want) != 3 {
		t.Fatalf("found %d faces, want 3", len(want))
	}
	// The upright pixel of a stored one, by EXIF 2.32, section 4.6.4 A.
	origins := map[uint16]func(x, y int) (int, int){
		1: func(x, y int) (int, int) { return x, y },
		2: func(x, y int) (int, int) { return width - 1 - x, y },
		3: func(x, y int) (int, int) { return width - 1 - x, height - 1 - y },
		4: func(x, y int) (int, int) { return x, height - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return width - 1 - y, x },
		7: func(x, y int) (int, int) { return width - 1 - y, height - 1 - x },
		8: func(x, y int) (int, int) { return y, height - 1 - x },
	}
	for value, origin := range origins {
		w, h := width, height
		if value >= 5 {
			w, h = h, w
		}
		stored := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				stored.Set(x, y, img.At(origin(x, y)))
			}
		}
		got := detect(t, e, vision.WithOrientation(encodeJPEG(t, stored), value)).Faces()
		if len(got) != len(want) {
			t.Errorf("orientation %d: found %d faces, want %d", value, len(got), len(want))
			continue
		}
		for i := range want {
			if d := boxDistance(got[i].BoundingBox, want[i].BoundingBox); d > 0.01 {
				t.Errorf("orientation %d: box %v is %.3f from %v", value, got[i].BoundingBox, d,
					want[i].BoundingBox)
			}
		}
	}
}

func boxDistance(a, b recollect.BoundingBox) float32 {
	abs := func(v float32) float32 { return max(v, -v) }
	return max(abs(a.Left-b.Left), abs(a.Top-b.Top), abs(a.Width-b.Width), abs(a.Height-b.Height))
}

func encodeJPEG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 97}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func only(t *testing.T, e *vision.Engine, data []byte) face.FaceDetail {
	t.Helper()
	faces := detect(t, e, data).Faces()
	if len(faces) == 0 {
		t.Fatal("no face is found")
	}
	return faces[0]
}

// A mirrored head has the negative yaw and roll, and a rotated picture changes the roll by its
// angle.
func TestPoseSigns(t *testing.T) {
	e := newEngine(t, vision.Options{})
	img := load(t, portrait)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	as := only(t, e, change(t, width, height, img.At)).Pose
	mirrored := only(t, e,
		change(t, width, height, func(x, y int) color.Color { return img.At(width-1-x, y) })).Pose
	for name, sum := range map[string]float32{"yaw": as.Yaw + mirrored.Yaw, "roll": as.Roll +
		mirrored.Roll, "pitch": as.Pitch - mirrored.Pitch} {
		if math.Abs(float64(sum)) > 8 {
			t.Errorf("%s: %+v, and mirrored %+v", name, as, mirrored)
		}
	}
	for _, degrees := range []float64{-20, 20} { // clockwise
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		turned := only(t, e, change(t, width, height, func(x, y int) color.Color {
			dx, dy := float64(x-width/2), float64(y-height/2)
			return img.At(width/2+int(math.Round(cos*dx+sin*dy)), height/2+
				int(math.Round(cos*dy-sin*dx)))
		})).Pose
		if got := float64(turned.Roll - as.Roll); math.Abs(got-degrees) > 6 {
			t.Errorf("turned by %v degrees clockwise, the roll changed by %.1f", degrees, got)
		}
	}
}

// Yaw is positive if the nose points to the picture's right.
func TestYawFollowsTheNose(t *testing.T) {
	e := newEngine(t, vision.Options{})
	paths, err := filepath.Glob(filepath.Join(shared, "lfw", "images", "B*", "*_0001.jpg"))
	if err != nil || len(paths) == 0 {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	agree, turned := 0, 0
	for _, path := range paths[:60] {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := only(t, e, data)
		if math.Abs(float64(f.Pose.Yaw)) < 15 {
			continue
		}
		turned++
		left, right, nose := f.Landmarks[0], f.Landmarks[1], f.Landmarks[4]
		if (nose.X > (left.X+right.X)/2) == (f.Pose.Yaw > 0) {
			agree++
		}
	}
	if turned < 5 || agree < turned*9/10 {
		t.Errorf("%d of %d turned heads have their nose on the side that the yaw says", agree,
			turned)
	}
}

// Quality falls when the picture is darkened and when it is blurred; brightness rises when it is
// brightened.
func TestQualityIsMonotone(t *testing.T) {
	e := newEngine(t, vision.Options{})
	img := load(t, portrait)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	scaled := func(factor float64) face.Quality {
		return only(t, e, change(t, width, height, func(x, y int) color.Color {
			c := img.NRGBAAt(x, y)
			scale := func(v uint8) uint8 { return uint8(math.Min(float64(v)*factor, 255)) }
			return color.NRGBA{scale(c.R), scale(c.G), scale(c.B), 255}
		})).Quality
	}
	last := face.Quality{}
	for _, factor := range []float64{0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4} {
		q := scaled(factor)
		if q.Brightness <= last.Brightness {
			t.Errorf("brightness is %v at %v times the light, and was %v at less", q.Brightness,
				factor, last.Brightness)
		}
		last = q
	}
	last = face.Quality{Sharpness: 101}
	for _, radius := range []int{0, 1, 2, 4, 6} {
		q := only(t, e,
			change(t, width, height,
				func(x, y int) color.Color { return boxBlur(img, x, y, radius) })).Quality
		if q.Sharpness >= last.Sharpness {
			t.Errorf("sharpness is %v blurred by %d pixels, and was %v before", q.Sharpness, radius,
				last.Sharpness)
		}
		last = q
	}
}

// boxBlur returns the mean of the pixels at most radius away in each direction.
func boxBlur(img *image.NRGBA, x, y, radius int) color.Color {
	var r, g, b, n int
	for yy := max(y-radius, 0); yy <= min(y+radius, img.Rect.Dy()-1); yy++ {
		for xx := max(x-radius, 0); xx <= min(x+radius, img.Rect.Dx()-1); xx++ {
			c := img.NRGBAAt(xx, yy)
			r, g, b, n = r+int(c.R), g+int(c.G), b+int(c.B), n+1
		}
	}
	return color.NRGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255}
}

// The same picture has the same boxes and vectors each time, bit for bit, also with concurrent
// calls: similarity 100.
func TestSamePictureAgain(t *testing.T) {
	e := newEngine(t, vision.Options{})
	data := read(t, "group/cf_013_4.jpg")
	look := func() ([]face.FaceDetail, [][]float32) {
		photo, err := e.Detect(context.Background(), data, face.AttributesAll)
		if err != nil {
			t.Error(err)
			return nil, nil
		}
		vectors, err := photo.Embed(context.Background(), 3, 0, 1, 2)
		if err != nil {
			t.Error(err)
		}
		return photo.Faces(), vectors
	}
	faces, vectors := look()
	if len(faces) != 4 || len(vectors) != 4 {
		t.Fatalf("%d faces, %d vectors, want 4 each", len(faces), len(vectors))
	}
	for i, v := range vectors {
		if got := e.Similarity(verification.Dot(v, v)); got != 100 || len(v) != 512 {
			t.Errorf("vector %d of %d numbers has similarity %v with itself", i, len(v), got)
		}
		for _, w := range vectors[:i] {
			if got := e.Similarity(verification.Dot(v, w)); got > 80 {
				t.Errorf("different persons have similarity %v", got)
			}
		}
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			againFaces, againVectors := look()
			for i := range faces {
				if againFaces[i].BoundingBox != faces[i].BoundingBox ||
					againFaces[i].Confidence != faces[i].Confidence ||
					!slices.Equal(againFaces[i].Landmarks, faces[i].Landmarks) ||
					againFaces[i].Pose != faces[i].Pose {
					t.Errorf("face %d is %+v, and was %+v", i, againFaces[i], faces[i])
				}
				if !slices.Equal(againVectors[i], vectors[i]) {
					t.Errorf("vector %d is another one", i)
				}
			}
		})
	}
	wg.Wait()
}

func TestEmbedRefusesUnknownFaces(t *testing.T) {
	e := newEngine(t, vision.Options{})
	photo := detect(t, e, read(t, portrait))
	for _, i := range []int{-1, len(photo.Faces())} {
		if _, err := photo.Embed(t.Context(), i); err == nil {
			t.Errorf("face %d was embedded", i)
		}
	}
	if vectors, err := photo.Embed(t.Context()); err != nil || len(vectors) != 0 {
		t.Errorf("no faces: %v, %v", vectors, err)
	}
}

func TestObserve(t *testing.T) {
	var mutex sync.Mutex
	count := map[vision.Stage]int{}
	e := newEngine(t, vision.Options{Observe: func(s vision.Stage, d time.Duration) {
		mutex.Lock()
		defer mutex.Unlock()
		if d <= 0 {
			t.Errorf("%s took %v", s, d)
		}
		count[s]++
	}})
	photo := detect(t, e, read(t, "group/cf_010_2.jpg"))
	if _, err := photo.Embed(t.Context(), 0, 1); err != nil {
		t.Fatal(err)
	}
	for stage, want := range map[vision.Stage]int{
		vision.StageDecode: 1, vision.StageDetect: 1, vision.StageLandmarks: 2, vision.StagePose: 2,
		vision.StageAlign: 2, vision.StageEmbed: 2,
	} {
		if count[stage] != want {
			t.Errorf("%s was observed %d times, want %d", stage, count[stage], want)
		}
	}
	took, err := e.RunNetworks(t.Context())
	if err != nil || len(took) != 4 {
		t.Errorf("the bare networks took %v, %v", took, err)
	}
}

func TestDetectHeedsItsContext(t *testing.T) {
	e := newEngine(t, vision.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Detect(ctx, read(t, portrait), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
