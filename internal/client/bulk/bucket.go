package bulk

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// Bucket is a [Source]: the objects of a bucket of S3 whose keys begin with a prefix. The server
// reads them itself; only their names are sent.
type Bucket struct {
	Bucket string
	Prefix string
	// Formats are read beside JPEG and PNG.
	Formats Formats
	// Keys lists the objects whose keys begin with a prefix, in any order.
	Keys func(ctx context.Context, bucket, prefix string, each func(Picture) error) error
}

// Name is the URL of the bucket and prefix.
func (b *Bucket) Name() string { return "s3://" + b.Bucket + "/" + b.Prefix }

// List implements [Source]. Paths begin after the prefix's last slash.
func (b *Bucket) List(ctx context.Context) (pictures []Picture, err error) {
	err = b.Keys(ctx, b.Bucket, b.Prefix, func(p Picture) error {
		if strings.HasSuffix(p.Path, "/") {
			return nil // a folder, to some programs
		}
		p.Skip = b.Formats.skip(p.Path, p.Bytes, MaxObjectBytes)
		p.Path = strings.TrimPrefix(p.Path, b.folder())
		pictures = append(pictures, p)
		return nil
	})
	slices.SortFunc(pictures, func(a, b Picture) int { return strings.Compare(a.Path, b.Path) })
	return pictures, err
}

// folder is the prefix to its last slash.
func (b *Bucket) folder() string { return b.Prefix[:strings.LastIndex(b.Prefix, "/")+1] }

// Key is the key of a picture's object.
func (b *Bucket) Key(p Picture) string { return b.folder() + p.Path }

// Image names a picture.
func (b *Bucket) Image(_ context.Context, p Picture) (*types.Image, error) {
	key := b.Key(p)
	return &types.Image{S3Object: &types.S3Object{Bucket: &b.Bucket, Name: &key}}, nil
}
