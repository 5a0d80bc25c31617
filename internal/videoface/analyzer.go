package videoface

import (
	"context"
	"os"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Analyzer finds the faces of a video. It is safe for concurrent use.
type Analyzer interface {
	// Analyze decodes a video, samples it, finds and tracks the faces of the sampled moments, and
	// passes them to the sink as they come, in one goroutine at a time: first Begin, once, then
	// Frame in ascending order of time. It returns the tracks once the video has ended. An error of
	// the sink ends it and is returned, wrapped. It returns soon after ctx ends, and leaves no
	// process, pipe or file behind.
	//
	// An error that the caller of the API may see is a [recollect.Error]: its message becomes the
	// StatusMessage of the job, which is not run again. CodeInvalidVideo if it is no video that can
	// be read, CodeVideoTooLarge if it is longer than it may be. Any other error is the server's.
	Analyze(ctx context.Context, in Input, o Options, sink Sink) ([]Track, error)
}

// Input is a stored video that is read by ranges. It is safe for concurrent use.
type Input interface {
	Size() int64 // in bytes

	// ReadAt is that of [io.ReaderAt] with a context: it reads less than p only with an error,
	// which is [io.EOF] at the end.
	ReadAt(ctx context.Context, p []byte, off int64) (n int, err error)

	// Close ends reading. An analyzer does not call it.
	Close() error
}

// FileInput is an [Input] that is a regular file of this machine, which can be given to a child
// process.
type FileInput interface {
	Input

	// File is the open file. Its offset is shared with other readers.
	File() *os.File
}

// Options say what is wanted of a video.
type Options struct {
	Attributes face.Attributes // of each face, beside the default ones

	// Embed is the version of the face model that detects the faces and embeds the tracks; empty:
	// the first model detects, and tracks are not embedded.
	Embed string

	MaxDuration time.Duration // a longer video is CodeVideoTooLarge; 0: no limit
}

// Sink gets what is found in a video.
type Sink interface {
	Begin(Metadata) error // once, before the first frame

	// Frame gets each sampled moment, also one without faces. The frame is the sink's to keep.
	Frame(Frame) error
}

// Metadata describes a video. The names are those of its form in the store.
type Metadata struct {
	Codec          string  `json:"codec"`          // for example h264
	DurationMillis int64   `json:"durationMillis"` // 0: not known
	Format         string  `json:"format"`         // of the container, as QuickTime / MOV
	FrameRate      float32 `json:"frameRate"`      // frames a second
	FrameWidth     int64   `json:"frameWidth"`     // pixels of the upright frame
	FrameHeight    int64   `json:"frameHeight"`
	ColorRange     string  `json:"colorRange,omitzero"` // LIMITED, FULL or empty
}

// Frame is a sampled moment of a video.
type Frame struct {
	Millis int64 // since the first frame
	Faces  []TrackedFace
}

// TrackedFace is a face of a frame.
type TrackedFace struct {
	Track int64           // from 0; the same in all frames where it is the same person's
	Face  face.FaceDetail // boxes and landmarks are ratios of the upright frame

	// Body is the box of the person; nil if none was detected.
	Body *recollect.BoundingBox
}

// Track is what a video shows of one face over time.
type Track struct {
	Index int64 // that of [TrackedFace]

	// Vector is the unit vector of the best moments together; nil if tracks are not embedded or no
	// moment was good enough.
	Vector []float32
}
