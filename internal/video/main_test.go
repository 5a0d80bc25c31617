package video

import (
	"context"
	"image"
	"image/color"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

func TestMain(m *testing.M) {
	sandbox = Main() // the tests' own program becomes FFmpeg, as the server's does
	os.Exit(m.Run())
}

var sandbox Sandbox

const library = "../../lib/recollect"

// ffmpegPath is that of the FFmpeg that is installed.
func ffmpegPath(t testing.TB) string {
	t.Helper()
	path, err := Find("", library)
	if err != nil {
		t.Skipf("FFmpeg is not installed (make ffmpeg): %v", err)
	}
	return path
}

func openFFmpeg(t testing.TB) *FFmpeg {
	t.Helper()
	f, err := Open(t.Context(), sandbox, ffmpegPath(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// make runs FFmpeg without a sandbox, to make a file, whose path it returns.
func makeVideo(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args = append([]string{"-hide_banner", "-loglevel", "error", "-nostdin"}, args...)
	out, err := exec.CommandContext(t.Context(), ffmpegPath(t), append(args, "-y",
		path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return path
}

// bytesInput is a video in memory.
type bytesInput []byte

func readInput(t testing.TB, path string) bytesInput {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (b bytesInput) Size() int64 { return int64(len(b)) }

func (b bytesInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, b[min(off, int64(len(b))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b bytesInput) Close() error { return nil }

// results is a sink that keeps everything.
type results struct {
	metadata videoface.Metadata
	begun    int
	frames   []videoface.Frame
	onFrame  func(videoface.Frame) error
}

func (r *results) Begin(m videoface.Metadata) error {
	r.metadata = m
	r.begun++
	return nil
}

func (r *results) Frame(f videoface.Frame) error {
	r.frames = append(r.frames, f)
	if r.onFrame != nil {
		return r.onFrame(f)
	}
	return nil
}

// times are those of the frames, in milliseconds.
func (r *results) times() []int64 {
	times := make([]int64, len(r.frames))
	for i, f := range r.frames {
		times[i] = f.Millis
	}
	return times
}

// blobEngine finds rectangles of the colours of people instead of faces.
type blobEngine struct {
	enginetest.Engine

	mu      sync.Mutex
	looks   int
	embeds  int
	onFrame func()
}

func newBlobEngine() *blobEngine { return &blobEngine{Engine: "blobs"} }

// people are the colours that a blobEngine knows.
var people = []color.RGBA{{200, 40, 40, 255}, {40, 160, 40, 255}, {40, 40, 220, 255},
	{190, 40, 190, 255}, {40, 170, 170, 255}, {200, 160, 20, 255}}

func (e *blobEngine) DetectFrame(ctx context.Context, f *image.YCbCr, _ face.Attributes) (
	face.Photo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.looks++
	e.mu.Unlock()
	if e.onFrame != nil {
		e.onFrame()
	}
	p := &blobs{engine: e}
	width, height := f.Rect.Dx(), f.Rect.Dy()
	for person, c := range people {
		_, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
		var box image.Rectangle
		for y := range height / 2 {
			for x := range width / 2 {
				at := y*f.CStride + x
				if near(f.Cb[at], cb) && near(f.Cr[at], cr) {
					box = box.Union(image.Rect(2*x, 2*y, 2*x+2, 2*y+2))
				}
			}
		}
		if box.Dx() < 8 || box.Dy() < 8 {
			continue
		}
		p.people = append(p.people, person)
		p.faces = append(p.faces, face.FaceDetail{
			BoundingBox: recollect.BoundingBox{
				Left:   float32(box.Min.X) / float32(width),
				Top:    float32(box.Min.Y) / float32(height),
				Width:  float32(box.Dx()) / float32(width),
				Height: float32(box.Dy()) / float32(height)},
			Side: float32(min(box.Dx(), box.Dy())), Confidence: 99,
			Quality: face.Quality{Brightness: 60, Sharpness: 60},
		})
	}
	return p, nil
}

func near(a, b uint8) bool { return max(a, b)-min(a, b) < 16 }

type blobs struct {
	engine *blobEngine
	people []int
	faces  []face.FaceDetail
}

func (p *blobs) Faces() []face.FaceDetail { return p.faces }

func (p *blobs) Embed(ctx context.Context, faces ...int) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.engine.mu.Lock()
	p.engine.embeds += len(faces)
	p.engine.mu.Unlock()
	vectors := make([][]float32, len(faces))
	for i, f := range faces {
		vectors[i] = enginetest.Vector(enginetest.Face{Person: p.people[f]})
	}
	return vectors, nil
}

func (p *blobs) Thumbnail(int) ([]byte, error) { return nil, nil }

// analyze runs an analysis with a blobEngine that must succeed.
func analyze(t *testing.T, f *FFmpeg, in videoface.Input) (*results, []videoface.Track) {
	t.Helper()
	var r results
	tracks, err := NewAnalyzer(f, []Engine{newBlobEngine()}, Options{}).Analyze(t.Context(), in,
		videoface.Options{Embed: "blobs"}, &r)
	if err != nil {
		t.Fatal(err)
	}
	if r.begun != 1 {
		t.Errorf("the results began %d times", r.begun)
	}
	return &r, tracks
}
