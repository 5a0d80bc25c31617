package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/client/bulk"
	"github.com/recollect-dev/recollect/internal/source/s3"
)

// sourceConfig is the source of a command's pictures.
type sourceConfig struct {
	Source string // folder or s3://bucket/prefix

	S3Root        string
	S3Endpoint    string
	S3Region      string
	S3VirtualHost bool

	Formats []string // beside JPEG and PNG
}

func (c *sourceConfig) addSourceFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.S3Root, "s3-root", "",
		"folder whose subfolders are the buckets, as of serve")
	flags.StringVar(&c.S3Endpoint, "s3-endpoint", "",
		"URL of the S3 endpoint, as of serve (default: Amazon S3)")
	flags.StringVar(&c.S3Region, "s3-region", "", "region of the S3 endpoint (default: --region)")
	flags.BoolVar(&c.S3VirtualHost, "s3-virtual-host", false,
		"address buckets as bucket.host instead of host/bucket")
	flags.StringSliceVar(&c.Formats, "formats", nil,
		"formats of pictures beside JPEG and PNG, as of serve: webp")
}

// webP is the format that serve and the commands for many pictures can be told to read.
const webP = "webp"

// validFormats checks the value of --formats.
func validFormats(formats []string) error {
	for _, f := range formats {
		if f != webP {
			return fmt.Errorf("--formats %q is not %s, the only one there is beside JPEG and PNG",
				f, webP)
		}
	}
	return nil
}

// Validate reports every fault at once.
func (c *sourceConfig) Validate() error {
	var faults []error
	bucket, _, isS3 := bucketAndKey(c.Source)
	if isS3 && bucket == "" {
		faults = append(faults, fmt.Errorf("%q is not s3://BUCKET/PREFIX", c.Source))
	}
	if !isS3 && (c.S3Root != "" || c.S3Endpoint != "") {
		faults = append(faults,
			errors.New("--s3-root and --s3-endpoint are for s3://BUCKET/PREFIX"))
	}
	if c.S3Root != "" && c.S3Endpoint != "" {
		faults = append(faults, errors.New("--s3-root and --s3-endpoint exclude each other"))
	}
	return errors.Join(append(faults, validFormats(c.Formats))...)
}

// bucketAndKey parses an s3:// URL.
func bucketAndKey(text string) (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, ok
}

// pictureSource lists pictures, returns the API's parameter for one, and reads one.
type pictureSource interface {
	bulk.Source
	Read(ctx context.Context, p bulk.Picture) ([]byte, error)
}

// buckets lists and reads S3 objects.
type buckets interface {
	objects
	List(ctx context.Context, bucket, prefix string, each func(s3.Object) error) error
	Close() error
}

// objects reads S3 objects.
type objects interface {
	Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte, error)
}

// bucketPictures reads the pictures of a bucket.
type bucketPictures struct {
	bulk.Bucket
	objects objects
}

// Read implements [pictureSource].
func (b *bucketPictures) Read(ctx context.Context, p bulk.Picture) ([]byte, error) {
	return b.objects.Get(ctx, b.Bucket.Bucket, b.Key(p), "", bulk.MaxObjectBytes)
}

// open opens a folder or a bucket.
func (c *sourceConfig) open(ctx context.Context, server *client) (_ pictureSource,
	closeSource func() error, err error) {
	bucket, prefix, isS3 := bucketAndKey(c.Source)
	formats := bulk.Formats{WebP: slices.Contains(c.Formats, webP)}
	if !isS3 {
		folder, err := bulk.OpenFolder(c.Source)
		if err != nil {
			return nil, nil, err
		}
		folder.Formats = formats
		return folder, folder.Close, nil
	}
	var source buckets
	if c.S3Root != "" {
		source, err = s3.NewFolder(c.S3Root)
	} else {
		region := c.S3Region
		if region == "" {
			cfg, err := server.load(ctx)
			if err != nil {
				return nil, nil, err
			}
			region = cfg.Region
		}
		source, err = s3.NewClient(s3.Config{
			Endpoint:        c.S3Endpoint,
			Region:          region,
			AccessKeyID:     os.Getenv(s3AccessKeyIDEnv),
			SecretAccessKey: os.Getenv(s3SecretAccessKeyEnv),
			PathStyle:       !c.S3VirtualHost,
		})
	}
	if err != nil {
		return nil, nil, err
	}
	keys := func(ctx context.Context, bucket, prefix string, each func(bulk.Picture) error) error {
		return source.List(ctx, bucket, prefix, func(o s3.Object) error {
			return each(bulk.Picture{Path: o.Key, Bytes: o.Bytes, Modified: o.Modified})
		})
	}
	list := bulk.Bucket{Bucket: bucket, Prefix: prefix, Formats: formats, Keys: keys}
	return &bucketPictures{list, source}, source.Close, nil
}
