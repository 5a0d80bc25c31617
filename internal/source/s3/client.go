package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/semaphore"
)

// Config has the settings of an S3 endpoint. Region is required; a time or number of zero means the
// default.
type Config struct {
	Endpoint string // http or https URL; empty: Amazon S3 itself
	Region   string // for example us-east-1
	// with SecretAccessKey; neither: requests are not signed, and only public objects can be had
	AccessKeyID     string
	SecretAccessKey string
	// the bucket is the first part of the path (https://host/bucket/key), not of the host
	// (https://bucket.host/key)
	PathStyle bool

	ConnectTimeout time.Duration // 5 s
	HeaderTimeout  time.Duration // from the request to the first byte of the answer: 10 s
	// for all of Get, its attempts and waiting for a turn included: 30 s
	Timeout     time.Duration
	Concurrency int // objects that are fetched at one moment: 32
}

// LogValue keeps the secret out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String keeps the secret out of formatted text.
func (c Config) String() string {
	return fmt.Sprintf("endpoint %q, region %q, access key %q, path style %v", c.Endpoint, c.Region,
		c.AccessKeyID, c.PathStyle)
}

// GoString keeps the secret out of text formatted with %#v.
func (c Config) GoString() string { return c.String() }

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			// url.Parse's error would repeat a password.
			faults = append(faults, errors.New("the S3 endpoint is not an http or https URL"))
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			faults = append(faults,
				errors.New("the S3 endpoint may have a scheme, a host, a port and a path only"))
		}
	}
	if c.Region == "" {
		faults = append(faults, errors.New("the S3 region is missing"))
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		faults = append(faults,
			errors.New("the S3 access key id and secret access key must be given together"))
	}
	if min(c.ConnectTimeout, c.HeaderTimeout, c.Timeout) < 0 || c.Concurrency < 0 {
		faults = append(faults,
			errors.New("the S3 timeouts and the concurrency must not be negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	setDefault(&c.ConnectTimeout, 5*time.Second)
	setDefault(&c.HeaderTimeout, 10*time.Second)
	setDefault(&c.Timeout, 30*time.Second)
	setDefault(&c.Concurrency, 32)
	return c
}

func setDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}

// A request that fails for a temporary reason is retried soon, since a client waits for the answer.
const (
	attempts   = 3
	maxBackoff = 500 * time.Millisecond
)

// Client is an image source at an S3 endpoint. It is safe for concurrent use.
//
// It takes its settings from its [Config] alone, never from the environment's or a file's AWS
// settings: those are there for the server's own callers. It follows no redirects, which could lead
// to where the operator does not want requests from this machine to go.
type Client struct {
	api       *s3.Client
	transport *http.Transport
	timeout   time.Duration
	turns     *semaphore.Weighted
}

// NewClient returns a client. It does not connect yet.
func NewClient(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: cfg.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:    cfg.ConnectTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true, // the size is that of the object
		ForceAttemptHTTP2:      true,
	}
	var credentials aws.CredentialsProvider = aws.AnonymousCredentials{}
	if cfg.AccessKeyID != "" {
		credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: cfg.AccessKeyID,
				SecretAccessKey: cfg.SecretAccessKey}, nil
		})
	}
	options := s3.Options{
		Region:      cfg.Region,
		Credentials: credentials,
		HTTPClient: &http.Client{
			Transport: transport,
			CheckRedirect: func(*http.Request,
				[]*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		UsePathStyle: cfg.PathStyle,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		}),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		// Objects without a checksum are usual.
		DisableLogOutputChecksumValidationSkipped: true,
		// A bucket whose name ends like that of a directory bucket is no reason to ask for a
		// session.
		DisableS3ExpressSessionAuth: aws.Bool(true),
	}
	if cfg.Endpoint != "" {
		options.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return &Client{
		api:       s3.New(options),
		transport: transport,
		timeout:   cfg.Timeout,
		turns:     semaphore.NewWeighted(int64(cfg.Concurrency)),
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Get returns an object of at most maxBytes. An empty version means the newest. An object whose
// declared size is larger is not read.
func (c *Client) Get(ctx context.Context, bucket, key, version string, maxBytes int64) ([]byte,
	error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	object, err := c.get(limited, bucket, key, version, maxBytes)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("fetch object %q of bucket %q: %w", key, bucket,
			classifyResponseError(err))
	}
	return object, nil
}

func (c *Client) get(ctx context.Context, bucket, key, version string, maxBytes int64) ([]byte,
	error) {
	if err := checkName(bucket, key); err != nil {
		return nil, err
	}
	if err := c.turns.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a turn: %w", err)
	}
	defer c.turns.Release(1)
	input := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if version != "" {
		input.VersionId = aws.String(version)
	}
	output, err := c.api.GetObject(ctx, input)
	if err != nil {
		return nil, err
	}
	defer output.Body.Close()
	size := int64(-1)
	if output.ContentLength != nil {
		size = *output.ContentLength
	}
	return readAll(output.Body, size, maxBytes)
}

// putTimeout is how long Put may take, its attempts included.
const putTimeout = 15 * time.Minute

// Put creates an object, or replaces it, with the content, which is read from its begin.
func (c *Client) Put(ctx context.Context, bucket, key string, content io.ReadSeeker) error {
	if err := checkName(bucket, key); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	_, err := c.api.PutObject(limited,
		&s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: content})
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("store object %q of bucket %q: %w", key, bucket,
			classifyResponseError(err))
	}
	return nil
}

// List calls each for the objects of a bucket whose keys begin with a prefix, in ascending order of
// the keys, until it returns an error.
func (c *Client) List(ctx context.Context, bucket, prefix string, each func(Object) error) error {
	pages := s3.NewListObjectsV2Paginator(c.api,
		&s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		page, err := pages.NextPage(limited)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return fmt.Errorf("list bucket %q: %w", bucket, classifyResponseError(err))
		}
		for _, o := range page.Contents {
			if err := each(Object{aws.ToString(o.Key), aws.ToInt64(o.Size),
				aws.ToTime(o.LastModified)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// classifyResponseError returns which of the package's errors an error of the endpoint or the
// network is.
func classifyResponseError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		switch e.HTTPStatusCode() {
		// the latter is the answer for a delete marker
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		case http.StatusForbidden, http.StatusUnauthorized:
			return fmt.Errorf("%w: %w", ErrDenied, err)
		}
	}
	return err
}
