package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// Video is a video: JSON that lists the faces of its sampled moments.
type Video struct {
	Millis  int64 // its duration
	Moments []Moment
}

// Moment is a sampled moment of a video.
type Moment struct {
	Millis int64
	Faces  []Seen
}

// Seen is a face of a moment.
type Seen struct {
	Track int64
	Face  Face
	Body  *recollect.BoundingBox
}

// Bytes returns the video as an [Analyzer] reads it.
func (v Video) Bytes() []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the type has nothing that cannot be marshalled
	}
	return b
}

// Analyzer is a [videoface.Analyzer] of such videos. A track's vector is that of its first face.
// Confidences rise with the number of the moment, from 90.
type Analyzer struct {
	// Before is called with the number of each moment before it is passed on; nil: nothing is.
	Before func(ctx context.Context, moment int) error
}

// Analyze implements [videoface.Analyzer]. CodeInvalidVideo, CodeVideoTooLarge.
func (a Analyzer) Analyze(ctx context.Context, in videoface.Input, o videoface.Options,
	sink videoface.Sink) ([]videoface.Track, error) {
	text, err := readInput(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("read the video: %w", err)
	}
	var v Video
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, &recollect.Error{Code: recollect.CodeInvalidVideo,
			Message: "The video cannot be read.", Err: err}
	}
	if d := time.Duration(v.Millis) * time.Millisecond; d > o.MaxDuration && o.MaxDuration > 0 {
		return nil, recollect.Errorf(recollect.CodeVideoTooLarge, "The video is too long.")
	}
	if err := sink.Begin(videoface.Metadata{Codec: "json", DurationMillis: v.Millis,
		Format: "JSON", FrameRate: 25, FrameWidth: 1920, FrameHeight: 1080,
		ColorRange: "LIMITED"}); err != nil {
		return nil, err
	}
	var tracks []videoface.Track
	seen := map[int64]bool{}
	for n, m := range v.Moments {
		if a.Before != nil {
			if err := a.Before(ctx, n); err != nil {
				return nil, err
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		frame := videoface.Frame{Millis: m.Millis}
		for _, s := range m.Faces {
			found := videoface.TrackedFace{Track: s.Track, Body: s.Body,
				Face: detailOf(s.Face, o.Attributes)}
			found.Face.Confidence = 90 + float32(n)/100
			frame.Faces = append(frame.Faces, found)
			if !seen[s.Track] {
				seen[s.Track] = true
				tracks = append(tracks, trackOf(s, o))
			}
		}
		if err := sink.Frame(frame); err != nil {
			return nil, err
		}
	}
	return tracks, nil
}

func trackOf(s Seen, o videoface.Options) videoface.Track {
	track := videoface.Track{Index: s.Track}
	if o.Embed != "" && !s.Face.Poor {
		track.Vector = Vector(s.Face)
	}
	return track
}

func readInput(ctx context.Context, in videoface.Input) ([]byte, error) {
	var text []byte
	for block := make([]byte, 4096); ; {
		n, err := in.ReadAt(ctx, block, int64(len(text)))
		text = append(text, block[:n]...)
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// detailOf returns a face of a picture, or of a video, with the attributes in want.
func detailOf(f Face, want face.Attributes) face.FaceDetail {
	d := face.FaceDetail{
		BoundingBox: recollect.BoundingBox{Left: 0.24770642817020416, Top: -0.125, Width: f.Size,
			Height: f.Size},
		Side:       1000 * f.Size,
		Confidence: 99.993408203125,
		Landmarks:  []face.Landmark{{Type: "eyeLeft", X: 0.25, Y: 0.5}},
		Pose:       face.Pose{Roll: -3.5, Yaw: 7, Pitch: 1},
		Quality:    face.Quality{Brightness: 80, Sharpness: 70},
	}
	if f.Poor {
		d.Quality = face.Quality{}
	}
	addAttributes(&d, want)
	return d
}
