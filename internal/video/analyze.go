// Package video finds the faces of videos: FFmpeg decodes them in a child process without rights,
// the frames of regular moments and of cuts are looked at, and faces are followed from one to the
// next. It has no notion of collections and jobs.
package video

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// Engine is a face engine that detects faces in decoded frames.
type Engine interface {
	face.Engine

	// DetectFrame is Detect for a decoded picture of full range and the colours of JPEG. The
	// picture is not retained.
	DetectFrame(ctx context.Context, frame *image.YCbCr, want face.Attributes) (face.Photo, error)
}

// Analyzer finds and follows the faces of stored videos. It implements [videoface.Analyzer].
type Analyzer struct {
	ffmpeg  *FFmpeg
	engines []Engine
	options Options
}

var _ videoface.Analyzer = (*Analyzer)(nil)

// Options are an [Analyzer]'s settings. Zero means the default.
type Options struct {
	Rate float64 // moments that are looked at, a second: 5
}

const defaultRate = 5

// NewAnalyzer returns an analyzer with these engines, of which the first is used where none is
// named.
func NewAnalyzer(ffmpeg *FFmpeg, engines []Engine, options Options) *Analyzer {
	if options.Rate == 0 {
		options.Rate = defaultRate
	}
	return &Analyzer{ffmpeg, engines, options}
}

// Analyze finds and follows the faces of a video, as [videoface.Analyzer] says. Frames are passed
// on a little after they were seen: by then it is known who is on them.
func (a *Analyzer) Analyze(ctx context.Context, in videoface.Input, o videoface.Options,
	sink videoface.Sink) (tracks []videoface.Track, err error) {
	engine, err := a.engine(o.Embed)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	origin, err := newOrigin(ctx, in, func(err error) { cancel(err) })
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, origin.close())
		// What FFmpeg says after the video could not be read, or after the caller went away, is of
		// no interest.
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = fmt.Errorf("analysing a video: %w", cause)
		}
		if err != nil {
			tracks = nil
		}
	}()
	p, err := a.ffmpeg.probe(ctx, origin)
	if err != nil {
		return nil, err
	}
	if err := tooLong(p.duration, o.MaxDuration); err != nil {
		return nil, err
	}
	if err := sink.Begin(p.Metadata); err != nil {
		return nil, fmt.Errorf("beginning the results of a video: %w", err)
	}
	r := newRun(engine, p.shape, o, sink)
	if err := a.run(ctx, origin, p, r); err != nil {
		return nil, err
	}
	return r.cast.tracks(), nil
}

// engine returns the engine of a face model version, or the first.
func (a *Analyzer) engine(version string) (Engine, error) {
	for _, e := range a.engines {
		if version == "" || e.Version() == version {
			return e, nil
		}
	}
	return nil, fmt.Errorf("there is no engine of the face model version %q", version)
}

func tooLong(duration, most time.Duration) error {
	if most == 0 || duration <= most {
		return nil
	}
	return &recollect.Error{Code: recollect.CodeVideoTooLarge,
		Message: fmt.Sprintf("The video is longer than %v.", most),
		Err:     fmt.Errorf("it lasts %v or more", duration)}
}

// The time of a processor that FFmpeg may take for a video: some, and so much for each second of
// the video. Where the length is not known, it is that of the longest video.
const (
	leastCPU     = 2 * time.Minute
	cpuPerSecond = 20
	longest      = 6 * time.Hour
)

// run decodes a video and looks at its frames.
func (a *Analyzer) run(ctx context.Context, o *origin, p *probed, r *run) (err error) {
	length := p.duration
	if length == 0 {
		length = longest
	}
	frames, err := a.ffmpeg.decode(ctx, a.ffmpeg.confine(o.port, leastCPU+cpuPerSecond*length),
		a.ffmpeg.input(o), p.shape, a.options.Rate, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, frames.close()) }()
	for frames.next() {
		err := tooLong(frames.frame.time, r.options.MaxDuration)
		if err == nil {
			err = r.look(ctx, frames.frame)
		}
		frames.free()
		if err != nil {
			return err
		}
	}
	if err := damaged(frames.err, frames.taken.Load()); err != nil {
		return err
	}
	return r.finish(ctx)
}

const unreadable = "The video cannot be read: it is damaged, or in an unsupported format."

// damaged returns the error of a decoder that ended with one. FFmpeg reports what it could not
// decode by its status, also where most frames are fine: what there was counts then.
func damaged(err error, taken int64) error {
	exit, ok := errors.AsType[exited](err)
	switch {
	case err == nil:
		return nil
	case ok && exit.late:
		return invalid("Decoding the video takes too long.", err)
	case ok && exit.byItself() && taken > 0:
		return nil
	case ok && exit.byItself():
		return invalid(unreadable, err)
	}
	return err
}

// delay is the time after which a moment is reported.
const delay = 2 * time.Second

// run is the analysis of one video.
type run struct {
	engine  Engine
	options videoface.Options
	sink    videoface.Sink
	tracker tracker
	cast    cast
	seen    []sighting // not reported yet
}

// sighting is a moment that was looked at.
type sighting struct {
	at    time.Duration
	faces []face.FaceDetail
	of    []*tracklet
}

func newRun(engine Engine, s shape, o videoface.Options, sink videoface.Sink) *run {
	r := &run{engine: engine, options: o, sink: sink}
	r.tracker.aspect = float64(s.width) / float64(s.height)
	if o.Embed != "" {
		b := boundsOf(engine)
		r.tracker.bounds, r.cast.bounds = b, b
	}
	return r
}

// look detects and follows the faces of a frame.
func (r *run) look(ctx context.Context, f *frame) error {
	photo, err := r.engine.DetectFrame(ctx, f.image, r.options.Attributes)
	if err != nil {
		return fmt.Errorf("looking at the frame at %v: %w", f.time, err)
	}
	faces := photo.Faces()
	of, err := r.tracker.add(ctx, f.time, f.cut, photo, faces)
	if err != nil {
		return err
	}
	r.seen = append(r.seen, sighting{f.time, faces, of})
	if err := r.report(ctx, f.time-delay); err != nil {
		return err
	}
	return r.closeTracklets(ctx, false)
}

// finish reports what is left.
func (r *run) finish(ctx context.Context) error {
	if err := r.report(ctx, r.tracker.now); err != nil {
		return err
	}
	return r.closeTracklets(ctx, true)
}

func (r *run) closeTracklets(ctx context.Context, all bool) error {
	for _, x := range r.tracker.end(all) {
		if err := r.cast.close(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// report passes on the moments up to a time.
func (r *run) report(ctx context.Context, until time.Duration) error {
	for len(r.seen) > 0 && r.seen[0].at <= until {
		s := r.seen[0]
		r.seen = r.seen[1:]
		out := videoface.Frame{Millis: s.at.Milliseconds()}
		for i, x := range s.of {
			if err := r.cast.decide(ctx, x); err != nil {
				return err
			}
			if x.person.index >= 0 {
				out.Faces = append(out.Faces,
					videoface.TrackedFace{Track: x.person.index, Face: s.faces[i]})
			}
		}
		if err := r.sink.Frame(out); err != nil {
			return fmt.Errorf("keeping the faces of a frame: %w", err)
		}
	}
	return nil
}
