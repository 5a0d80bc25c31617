package server

import (
	"context"
	"errors"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/source/s3"
)

// S3Config says where S3 objects are read from: the folder Root, or the server at Endpoint. Without
// either, requests with an S3Object fail.
type S3Config struct {
	Root string // folder whose subfolders are buckets

	Endpoint        string // URL
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	VirtualHost     bool // the bucket is a part of the host's name
}

// client is the configuration of a client of the endpoint.
func (cfg S3Config) client() s3.Config {
	return s3.Config{
		Endpoint:        cfg.Endpoint,
		Region:          cfg.Region,
		AccessKeyID:     cfg.AccessKeyID,
		SecretAccessKey: cfg.SecretAccessKey,
		PathStyle:       !cfg.VirtualHost,
	}
}

// objects is a source of S3 objects.
type objects interface {
	Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte, error)
}

// images maps the error for an object that is too large to the API's code.
type images struct {
	source objects
}

// OpenImages returns the source that the configuration names, or nil if it names none.
func OpenImages(cfg S3Config) (rekognition.Images, error) {
	source, err := openObjects(cfg)
	if source == nil || err != nil {
		return nil, err
	}
	return images{source}, nil
}

// openObjects returns the source that the configuration names, or nil if it names none.
func openObjects(cfg S3Config) (objects, error) {
	switch {
	case cfg.Root != "":
		folder, err := s3.NewFolder(cfg.Root)
		if err != nil {
			return nil, err
		}
		return folder, nil
	case cfg.Endpoint != "":
		client, err := s3.NewClient(cfg.client())
		if err != nil {
			return nil, err
		}
		return client, nil
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
