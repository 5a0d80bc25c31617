package main

import (
	"context"
	"errors"
	"os"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/source/s3"
)

// The environment variables that hold the credentials for the S3 endpoint.
const (
	s3AccessKeyIDEnv     = "RECOLLECT_S3_ACCESS_KEY_ID"
	s3SecretAccessKeyEnv = "RECOLLECT_S3_SECRET_ACCESS_KEY"
)

// objects is where objects of S3 come from.
type objects interface {
	Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte, error)
}

// images gives an object that is too large the API's code.
type images struct {
	source objects
}

// openImages returns the source that the configuration names: a folder whose subfolders are
// buckets, an S3 endpoint, or nil.
func openImages(cfg serveConfig) (rekognition.Images, error) {
	switch {
	case cfg.S3Root != "":
		folder, err := s3.NewFolder(cfg.S3Root)
		if err != nil {
			return nil, err
		}
		return images{folder}, nil
	case cfg.S3Endpoint != "":
		region := cfg.S3Region
		if region == "" {
			region = cfg.Regions[0]
		}
		client, err := s3.NewClient(s3.Config{
			Endpoint:        cfg.S3Endpoint,
			Region:          region,
			AccessKeyID:     os.Getenv(s3AccessKeyIDEnv),
			SecretAccessKey: os.Getenv(s3SecretAccessKeyEnv),
			PathStyle:       !cfg.S3VirtualHost,
		})
		if err != nil {
			return nil, err
		}
		return images{client}, nil
	default:
		return nil, nil
	}
}

// Get implements [rekognition.Images].
func (i images) Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte,
	error) {
	data, err := i.source.Get(ctx, bucket, name, version, maxBytes)
	if errors.Is(err, s3.ErrTooLarge) {
		err = &recollect.Error{Code: recollect.CodeImageTooLarge,
			Message: "Image size is too large.", Err: err}
	}
	return data, err
}
