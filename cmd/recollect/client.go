package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/smithy-go"
	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/wire"
)

// defaultEndpoint is the URL of a server with the default --listen.
const defaultEndpoint = "http://127.0.0.1:7180"

// client is a command's connection to a server: address, region and key, with the names and
// environment variables of AWS clients.
type client struct {
	Endpoint string // URL; empty: the environment's, or defaultEndpoint
	Region   string // empty: the environment's or the profile's, or us-east-1
	// of the shared credentials file; empty: the environment's key or the default profile
	Profile string

	Certificate, CertificateKey string // PEM files, for a server with --tls-client-ca; or empty
}

// addFlags adds the flags of every command that is a client of a server.
func (c *client) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.Endpoint, "endpoint", "",
		"URL of the server (default: AWS_ENDPOINT_URL_REKOGNITION, or "+defaultEndpoint+")")
	flags.StringVar(&c.Region, "region", "",
		"region to act in (default: AWS_REGION, the profile's, or us-east-1)")
	flags.StringVar(&c.Profile, "profile", "", "profile of the key in AWS_SHARED_CREDENTIALS_FILE")
	flags.StringVar(&c.Certificate, "client-cert", "",
		"PEM file of a certificate for a server with --tls-client-ca (authorities of servers: "+
			"AWS_CA_BUNDLE)")
	flags.StringVar(&c.CertificateKey, "client-key", "", "PEM file of its key")
}

// load reads the server's address, the region and the key.
func (c *client) load(ctx context.Context) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(c.Region),
		// The key of an EC2 machine's role is not one of the server's, and requesting it takes
		// seconds on another machine.
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("read the AWS settings: %w", err)
	}
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	endpoint := cmp.Or(c.Endpoint, os.Getenv("AWS_ENDPOINT_URL_REKOGNITION"),
		aws.ToString(cfg.BaseEndpoint), defaultEndpoint)
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return aws.Config{},
			fmt.Errorf("the endpoint %q is no URL like %s", endpoint, defaultEndpoint)
	}
	endpoint = strings.TrimRight(endpoint, "/")
	cfg.BaseEndpoint = &endpoint
	return cfg, c.connect(&cfg)
}

// connect gives the configuration its HTTP client, with the client's certificate if there is one.
func (c *client) connect(cfg *aws.Config) error {
	// LoadDefaultConfig has made one for AWS_CA_BUNDLE.
	httpClient, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		httpClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = httpClient
	if c.Certificate == "" && c.CertificateKey == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.CertificateKey)
	if err != nil {
		return fmt.Errorf("read --client-cert and --client-key: %w", err)
	}
	cfg.HTTPClient = httpClient.WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig.Certificates = []tls.Certificate{certificate}
	})
	return nil
}

// key reads the server's address, the region and the key. Its error says how to give a key.
func (c *client) key(ctx context.Context) (aws.Config, aws.Credentials, error) {
	cfg, err := c.load(ctx)
	if err != nil {
		return cfg, aws.Credentials{}, err
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return cfg, credentials,
			errors.New("there is no access key: set AWS_SHARED_CREDENTIALS_FILE to the file that " +
				"has it, data/credentials of your own server")
	}
	return cfg, credentials, nil
}

// api returns a client of the face API.
func (c *client) api(ctx context.Context,
	options ...func(*rekognition.Options)) (*rekognition.Client, error) {
	cfg, _, err := c.key(ctx)
	if err != nil {
		return nil, err
	}
	// Otherwise the SDK uses the environment's endpoint.
	endpoint := func(o *rekognition.Options) { o.BaseEndpoint = cfg.BaseEndpoint }
	return rekognition.NewFromConfig(cfg, append(options, endpoint)...), nil
}

// plain returns an error of the API as the server sent it, without the text that the SDK adds. The
// error of a server that does not answer has its address.
func plain(err error) error {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return &serverError{Type: e.ErrorCode(), Message: e.ErrorMessage()}
	}
	if e, ok := errors.AsType[*url.Error](err); ok && !errors.Is(err, context.Canceled) {
		u, _ := url.Parse(e.URL)
		return fmt.Errorf(
			"%s://%s does not answer; is the server running, and is this its address? (%w)",
			u.Scheme, u.Host, e.Err)
	}
	return err
}

// serverError is the body of an error of the server.
type serverError struct {
	Type    string `json:"__type"`
	Message string
}

func (e *serverError) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// call sends a request to the operator's routes. The body may be nil; otherwise it is read twice.
// The caller closes the returned body.
func (c *client) call(ctx context.Context, method, path string, query url.Values,
	body io.ReadSeeker) (io.ReadCloser, error) {
	cfg, credentials, err := c.key(ctx)
	if err != nil {
		return nil, err
	}
	hash, size := sha256.New(), int64(0)
	var sent io.Reader = http.NoBody
	if body != nil {
		if size, err = io.Copy(hash, body); err == nil {
			_, err = body.Seek(0, io.SeekStart)
		}
		if err != nil {
			return nil, err
		}
		sent = body
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	r, err := http.NewRequestWithContext(ctx, method, *cfg.BaseEndpoint+admin.Prefix+path+"?"+
		query.Encode(), sent)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.ContentLength = size
		r.Header.Set("X-Amz-Content-Sha256", sum)
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, sum, wire.SigningName, cfg.Region,
		time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	resp, err := cfg.HTTPClient.Do(r)
	if err != nil {
		return nil, plain(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	said := new(serverError)
	if json.Unmarshal(text, said) != nil || said.Type == "" {
		return nil, fmt.Errorf("%s answers %s, which no server of Recollect does: %.100q",
			*cfg.BaseEndpoint, resp.Status, bytes.TrimSpace(text))
	}
	return nil, said
}
