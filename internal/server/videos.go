package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/notify"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/source/s3"
	"github.com/recollect-dev/recollect/internal/video"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// coresPerJob is how many cores there are for each job that is run at one moment, unless the
// configuration says how many jobs are.
const coresPerJob = 4

// decoderThreads is how many threads FFmpeg's decoder has for a video. Networks take most of the
// time.
const decoderThreads = 2

// noFFmpeg is what callers are told if the server has no FFmpeg that works.
const noFFmpeg = "The server cannot analyze videos: it has no FFmpeg that works. Its log says more."

// decoder is FFmpeg, or why it is not there.
type decoder struct {
	ffmpeg *video.FFmpeg
	err    error
}

// tryFFmpeg opens FFmpeg while other parts are opened.
func (a *App) tryFFmpeg(ctx context.Context) <-chan decoder {
	opened := make(chan decoder, 1)
	go func() {
		var d decoder
		var path string
		if path, d.err = video.Find(a.cfg.FFmpeg, a.cfg.Library); d.err == nil {
			d.ffmpeg, d.err = video.Open(ctx, a.cfg.Sandbox, path, decoderThreads)
		}
		opened <- d
	}()
	return opened
}

// openAnalyzer returns what analyzes videos, or why nothing can. That there is no FFmpeg is no
// error, unless the configuration names one.
func (a *App) openAnalyzer(engines []face.Engine, opened <-chan decoder) (
	analyzer videoface.Analyzer, unavailable string, err error) {
	if a.cfg.analyzer != nil {
		return a.cfg.analyzer, "", nil
	}
	d := <-opened
	if d.err != nil {
		if a.cfg.FFmpeg != "" {
			return nil, "", fmt.Errorf("open FFmpeg: %w", d.err)
		}
		a.log.Warn("stored videos cannot be analyzed", "error", d.err)
		return nil, noFFmpeg, nil
	}
	a.log.Info("stored videos are decoded by FFmpeg", "version", d.ffmpeg.Version())
	ofFrames := make([]video.Engine, len(engines))
	for i, e := range engines {
		var ok bool
		if ofFrames[i], ok = e.(video.Engine); !ok {
			return nil, "", fmt.Errorf("the engine %s detects no faces in frames", e.Version())
		}
	}
	return video.NewAnalyzer(d.ffmpeg, ofFrames, video.Options{}), "", nil
}

// openVideos starts the queue of jobs and returns the service of faces in videos.
func (a *App) openVideos(r *record, faces *face.Service, engines []face.Engine,
	opened <-chan decoder) (*videoface.Service, error) {
	analyzer, unavailable, err := a.openAnalyzer(engines, opened)
	if err != nil {
		return nil, err
	}
	announcer, err := openTopics(a.cfg)
	if err != nil {
		return nil, err
	}
	videos, err := openVideoSource(a.cfg.Images)
	if err != nil {
		return nil, fmt.Errorf("open the source of videos in S3: %w", err)
	}
	workers := a.cfg.Jobs
	if workers == 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/coresPerJob)
	}
	if unavailable != "" {
		workers = 0 // another server of the store may run its jobs
	}
	runner := &videoface.Runner{Analyzer: analyzer, Videos: videos, Faces: faces,
		Matches: r.store}
	queue := job.Start(job.Config{
		Store:     r.store,
		Runners:   runner.Kinds(),
		Announcer: announcer,
		Workers:   workers,
		Retention: a.cfg.JobRetention,
		MaxActive: a.cfg.MaxJobs,
		Log:       a.log,
	})
	a.closers.add("the queue of jobs", queue.Close)
	return videoface.NewService(videoface.Config{Queue: queue, Store: r.store, Videos: videos,
		Faces: faces, Unavailable: unavailable}), nil
}

// openTopics returns what publishes to the topics of notification channels.
func openTopics(cfg Config) (job.Announcer, error) {
	var topics notify.First
	if cfg.Webhooks != "" {
		hooks, err := notify.LoadWebhooks(cfg.Webhooks)
		if err != nil {
			return nil, err
		}
		topics = append(topics, hooks)
	}
	if cfg.SNS.Endpoint != "" {
		sns, err := notify.NewSNS(cfg.SNS)
		if err != nil {
			return nil, err
		}
		topics = append(topics, sns)
	}
	return topics, nil
}

// videoSource maps errors of reading objects to what callers see.
type videoSource struct {
	open func(ctx context.Context, bucket, name, version string) (videoface.Input, error)
}

// openVideoSource returns the source that the configuration names. If it names none, no video can
// be opened.
func openVideoSource(cfg S3Config) (videoface.Videos, error) {
	source, err := openObjects(cfg)
	if err != nil {
		return nil, err
	}
	switch source := source.(type) {
	case *s3.Folder:
		return videoSource{func(ctx context.Context, bucket, name,
			version string) (videoface.Input, error) {
			file, err := source.Open(ctx, bucket, name, version)
			if err != nil {
				return nil, err
			}
			return fileInput{file}, nil
		}}, nil
	case *s3.Client:
		return videoSource{func(ctx context.Context, bucket, name,
			version string) (videoface.Input, error) {
			ranges, err := source.Open(ctx, bucket, name, version)
			if err != nil {
				return nil, err
			}
			return rangesInput{ranges}, nil
		}}, nil
	default:
		return videoSource{func(context.Context, string, string,
			string) (videoface.Input, error) {
			return nil, errors.New("no source of S3 objects is configured")
		}}, nil
	}
}

// Open implements [videoface.Videos].
func (v videoSource) Open(ctx context.Context, o job.Object) (videoface.Input, error) {
	in, err := v.open(ctx, o.Bucket, o.Name, o.Version)
	if err != nil {
		return nil, unreadable(ctx, err, "Unable to get object metadata from S3. Check object "+
			"key, region and/or access permissions.")
	}
	return in, nil
}

// unreadable gives the error of an object that cannot be read the text that callers see.
func unreadable(ctx context.Context, err error, message string) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return err
	}
	if errors.Is(err, s3.ErrChanged) {
		message = "The object in S3 was replaced while it was read."
	}
	return &recollect.Error{Code: recollect.CodeInvalidS3Object, Message: message, Err: err}
}

const unreadableVideo = "Unable to read the object from S3."

// rangesInput is a video at an S3 endpoint.
type rangesInput struct{ *s3.Ranges }

// ReadAt implements [videoface.Input].
func (in rangesInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := in.Ranges.ReadAt(ctx, p, off)
	if err != nil {
		err = unreadable(ctx, err, unreadableVideo)
	}
	return n, err
}

// fileInput is a video in a folder of buckets.
type fileInput struct{ object *s3.File }

var _ videoface.FileInput = fileInput{}

// Size implements [videoface.Input].
func (in fileInput) Size() int64 { return in.object.Size() }

// ReadAt implements [videoface.Input].
func (in fileInput) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := in.object.ReadAt(ctx, p, off)
	if err != nil {
		err = unreadable(ctx, err, unreadableVideo)
	}
	return n, err
}

// Close implements [videoface.Input].
func (in fileInput) Close() error { return in.object.Close() }

// File implements [videoface.FileInput].
func (in fileInput) File() *os.File { return in.object.File() }
