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
	"github.com/recollect-dev/recollect/internal/videoface"
)

// coresPerJob is how many cores there are for each job that is run at one moment, unless the
// configuration says how many jobs are.
const coresPerJob = 4

// openVideos starts the queue of jobs and returns the service of faces in videos; nil if the
// server has nothing that analyzes videos.
func (a *App) openVideos(r *record, faces *face.Service) (*videoface.Service, error) {
	if a.cfg.analyzer == nil {
		return nil, nil
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
	runner := &videoface.Runner{Analyzer: a.cfg.analyzer, Videos: videos, Faces: faces,
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
		Faces: faces}), nil
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
