// Package videotest composes videos whose people and paths are known, for tests and benchmarks of
// package video.
package videotest

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Place is where a head is in a frame.
type Place struct {
	X, Y   float64 // the middle of the head's box, in pixels
	Height float64 // of the box, in pixels
	Turn   float64 // clockwise, in radians
	Shot   int     // index of the actor's picture
}

// Actor is a person of a sequence.
type Actor struct {
	Name  string
	Shots []Shot
	// At returns where the person is at a time in seconds; false: nowhere.
	At func(seconds float64) (Place, bool)
}

// Shot is a picture of a person.
type Shot struct {
	Picture *image.RGBA     // made by [Cutout]
	Head    image.Rectangle // in the picture; zero: where heads are in LFW on average
}

// Sequence is a video of people in front of pictures.
type Sequence struct {
	Width, Height int // pixels
	Rate          int // frames a second
	Seconds       float64
	Actors        []Actor // those that are nearer later
	// Ground returns the picture behind the people at a time in seconds, of the sequence's size.
	Ground func(seconds float64) *image.RGBA
}

// Frames returns the number of frames.
func (s *Sequence) Frames() int { return int(math.Round(s.Seconds * float64(s.Rate))) }

// Seen is a person in a frame.
type Seen struct {
	Actor   int
	Box     recollect.BoundingBox // of the head, in ratios of the frame
	Visible float64               // share of the box that is in the frame and not covered
}

// Truth returns who is in the frame at a time in seconds.
func (s *Sequence) Truth(seconds float64) []Seen {
	var all []Seen
	var rects []image.Rectangle
	for i := range s.Actors {
		p, ok := s.Actors[i].At(seconds)
		if !ok {
			continue
		}
		rect := p.rect(s.Actors[i].Shots[p.Shot].head())
		width, height := float64(s.Width), float64(s.Height)
		all = append(all, Seen{Actor: i, Box: recollect.BoundingBox{
			Left: float32(float64(rect.Min.X) / width), Top: float32(float64(rect.Min.Y) / height),
			Width:  float32(float64(rect.Dx()) / width),
			Height: float32(float64(rect.Dy()) / height)}})
		rects = append(rects, rect)
	}
	frame := image.Rect(0, 0, s.Width, s.Height)
	for i, rect := range rects {
		const step = 16 // points each way
		visible := 0
		for k := range step * step {
			at := rect.Min.Add(image.Pt((2*(k%step)+1)*rect.Dx()/(2*step),
				(2*(k/step)+1)*rect.Dy()/(2*step)))
			covered := !at.In(frame)
			for _, nearer := range rects[i+1:] {
				covered = covered || at.In(nearer)
			}
			if !covered {
				visible++
			}
		}
		all[i].Visible = float64(visible) / (step * step)
	}
	return all
}

// The head in the pictures of LFW, of 250 x 250 pixels: the mean box of 244 that have a single
// face.
var head = image.Rect(79, 60, 173, 192)

const (
	side   = 250
	middle = side / 2
	radius = 95 // of what is cut out
)

func (s Shot) head() image.Rectangle {
	if s.Head.Empty() {
		return head
	}
	return s.Head
}

// rect is the box of the head around the middle of the place.
func (p Place) rect(head image.Rectangle) image.Rectangle {
	width := p.Height * float64(head.Dx()) / float64(head.Dy())
	return image.Rect(int(p.X-width/2), int(p.Y-p.Height/2), int(p.X+width/2),
		int(p.Y+p.Height/2))
}

// Cutout returns the middle of a picture of LFW, with a soft edge.
func Cutout(picture image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(out, out.Rect, picture, picture.Bounds().Min, draw.Src)
	for y := range side {
		for x := range side {
			away := math.Hypot(float64(x)-middle+0.5, float64(y)-middle+0.5) / radius
			alpha := min(max(5*(1-away), 0), 1)
			at := out.Pix[y*out.Stride+4*x:][:4]
			for c := range 3 {
				at[c] = uint8(alpha * float64(at[c]))
			}
			at[3] = uint8(255 * alpha)
		}
	}
	return out
}

// Draw makes the frame at a time in seconds.
func (s *Sequence) Draw(seconds float64) *image.RGBA {
	frame := image.NewRGBA(image.Rect(0, 0, s.Width, s.Height))
	copy(frame.Pix, s.Ground(seconds).Pix)
	for i := range s.Actors {
		p, ok := s.Actors[i].At(seconds)
		if !ok {
			continue
		}
		shot := s.Actors[i].Shots[p.Shot]
		head := shot.head()
		scale := p.Height / float64(head.Dy())
		sin, cos := math.Sincos(p.Turn)
		hx, hy := float64(head.Min.X+head.Max.X)/2, float64(head.Min.Y+head.Max.Y)/2
		turn := f64.Aff3{
			scale * cos, -scale * sin, p.X - scale*(cos*hx-sin*hy),
			scale * sin, scale * cos, p.Y - scale*(sin*hx+cos*hy),
		}
		draw.ApproxBiLinear.Transform(frame, turn, shot.Picture, shot.Picture.Rect, draw.Over, nil)
	}
	return frame
}

// Encode writes the sequence to a file by FFmpeg, with its arguments between the input and the
// file's name.
func (s *Sequence) Encode(ctx context.Context, ffmpeg, file string, args ...string) error {
	command := append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-f", "rawvideo",
		"-pix_fmt", "rgba", "-s", fmt.Sprintf("%dx%d", s.Width, s.Height), "-r",
		strconv.Itoa(s.Rate), "-i", "pipe:0"}, args...)
	//nolint:gosec // G204: the caller is a test or a benchmark
	cmd := exec.CommandContext(ctx, ffmpeg, append(command, "-y", file)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting FFmpeg: %w", err)
	}
	err = s.write(in)
	return errors.Join(err, in.Close(), cmd.Wait())
}

// write draws as many frames at once as there are processors, and writes them in order.
func (s *Sequence) write(to io.Writer) error {
	together := runtime.NumCPU()
	frames := make([]*image.RGBA, together)
	for first := 0; first < s.Frames(); first += together {
		count := min(together, s.Frames()-first)
		var work sync.WaitGroup
		for i := range count {
			work.Go(func() { frames[i] = s.Draw(float64(first+i) / float64(s.Rate)) })
		}
		work.Wait()
		for _, f := range frames[:count] {
			if _, err := to.Write(f.Pix); err != nil {
				return fmt.Errorf("writing a frame: %w", err)
			}
		}
	}
	return nil
}
