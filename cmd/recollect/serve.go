package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/console"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/notify"
	"github.com/recollect-dev/recollect/internal/server"
	"github.com/recollect-dev/recollect/internal/tracing"
	"github.com/recollect-dev/recollect/internal/video"
)

// The environment variables that hold the credentials for the S3 endpoint.
const (
	s3AccessKeyIDEnv     = "RECOLLECT_S3_ACCESS_KEY_ID"
	s3SecretAccessKeyEnv = "RECOLLECT_S3_SECRET_ACCESS_KEY" //nolint:gosec // the variable's name
)

// The environment variables that hold the credentials for the SNS endpoint.
const (
	snsAccessKeyIDEnv     = "RECOLLECT_SNS_ACCESS_KEY_ID"
	snsSecretAccessKeyEnv = "RECOLLECT_SNS_SECRET_ACCESS_KEY"
)

// serveConfig is the configuration of serve.
type serveConfig struct {
	Listen     string // host:port
	TLS        server.TLSConfig
	Insecure   bool     // Listen may be reached from other machines without TLS
	Store      string   // URL of a PostgreSQL database; empty: the store is in Data
	Data       string   // folder of the store, the root key and the master key
	MasterKey  string   // file of the master key, with Store; empty: in Data or the environment
	Library    string   // folder of ONNX Runtime and the model packs
	Device     string   // cpu or cuda
	Regions    []string // the first one is used where there can be one only
	Account    string
	LogJSON    bool
	Limits     string // file of rates and quotas; empty: none
	OIDC       string // file of OpenID Connect issuers; empty: none
	Thumbnails bool   // are made of indexed faces, and shown

	DeleteThumbnails bool // that earlier runs made

	Formats []string // of pictures, beside JPEG and PNG

	LazyModels bool // the server is ready before the networks are loaded

	Seed             string // a number, for ids that repeat; empty: they are random
	SeedExistingData bool   // the seed may be for data that is there

	// host:port of unrestricted metrics; empty: on Listen, for this machine
	Metrics string

	// networks, or addresses, of proxies whose headers about their clients are trusted
	TrustedProxies []string

	MaxRequests        int // 0: the default
	MaxPictureRequests int

	Audit auditFlags
	OTLP  string // URL of the collector of traces; empty: none

	S3Root        string // folder whose subfolders are buckets
	S3Endpoint    string // URL
	S3Region      string // empty: the first of Regions
	S3VirtualHost bool   // the bucket is a part of the host's name

	Sandbox      video.Sandbox // of FFmpeg
	FFmpeg       string        // program; empty: that of the library folder, or of the system
	Jobs         int           // on videos, that are run at one moment; 0: the default
	JobRetention time.Duration // of finished jobs
	SNSEndpoint  string        // URL; empty: none
	Webhooks     string        // file of webhooks; empty: none
}

// Validate reports every fault at once.
func (c serveConfig) Validate() error {
	var faults []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("--listen %q is not host:port", c.Listen))
	}
	if _, _, err := net.SplitHostPort(c.Metrics); err != nil && c.Metrics != "" {
		faults = append(faults, fmt.Errorf("--metrics %q is not host:port", c.Metrics))
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		faults = append(faults, errors.New("--tls-cert and --tls-key need each other"))
	}
	if c.TLS.ClientCA != "" && c.TLS.Certificate == "" {
		faults = append(faults, errors.New("--tls-client-ca needs --tls-cert and --tls-key"))
	}
	if c.Insecure && c.TLS.Certificate != "" {
		faults = append(faults, errors.New("--insecure and --tls-cert exclude each other"))
	}
	// The URL may have a password, and is not shown.
	if c.Store != "" && !strings.HasPrefix(c.Store, "postgres://") &&
		!strings.HasPrefix(c.Store, "postgresql://") {
		faults = append(faults, errors.New("--store does not begin with postgres://"))
	}
	if c.MasterKey != "" && c.Store == "" {
		faults = append(faults, errors.New("--master-key-file needs --store"))
	}
	if c.MasterKey != "" && os.Getenv(iam.MasterKeyEnv) != "" {
		faults = append(faults, fmt.Errorf("--master-key-file and %s exclude each other",
			iam.MasterKeyEnv))
	}
	if c.Data == "" {
		faults = append(faults, errors.New("--data names no folder"))
	}
	if c.Device != server.DeviceCPU && c.Device != server.DeviceCUDA {
		faults = append(faults,
			fmt.Errorf("--device %q is neither %s nor %s", c.Device, server.DeviceCPU,
				server.DeviceCUDA))
	}
	if len(c.Regions) == 0 {
		faults = append(faults, errors.New("--region names no region"))
	}
	for _, region := range c.Regions {
		if !regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`).MatchString(region) {
			faults = append(faults,
				fmt.Errorf("--region %q does not look like a region, for example us-east-1",
					region))
		}
	}
	if !iam.ValidAccountID(c.Account) {
		faults = append(faults, fmt.Errorf("--account %q is not twelve digits", c.Account))
	}
	if c.S3Root != "" && c.S3Endpoint != "" {
		faults = append(faults, errors.New("--s3-root and --s3-endpoint exclude each other"))
	}
	if c.Thumbnails && c.DeleteThumbnails {
		faults = append(faults,
			errors.New("--thumbnails and --delete-thumbnails exclude each other"))
	}
	if c.MaxRequests < 0 || c.MaxPictureRequests < 0 {
		faults = append(faults,
			errors.New("--max-requests and --max-picture-requests must be 0 or more"))
	}
	if _, err := c.seed(); err != nil {
		faults = append(faults, err)
	}
	if c.SeedExistingData && c.Seed == "" {
		faults = append(faults, errors.New("--seed-existing-data needs --seed"))
	}
	if c.Jobs < 0 || c.JobRetention < 0 {
		faults = append(faults, errors.New("--jobs and --job-retention must be 0 or more"))
	}
	faults = append(faults, validFormats(c.Formats), c.Audit.validate(c.S3Endpoint))
	if c.OTLP != "" {
		if err := tracing.CheckEndpoint(c.OTLP); err != nil {
			faults = append(faults, fmt.Errorf("--otlp-endpoint: %w", err))
		}
	}
	for _, network := range c.TrustedProxies {
		if _, err := parseNetwork(network); err != nil {
			faults = append(faults, fmt.Errorf("--trusted-proxies: %w", err))
		}
	}
	return errors.Join(faults...)
}

// seed reads the seed; nil: there is none.
func (c serveConfig) seed() (*uint64, error) {
	if c.Seed == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(c.Seed, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("--seed %q is not a whole number from 0 to %d", c.Seed,
			uint64(math.MaxUint64))
	}
	return &n, nil
}

// parseNetwork reads a network such as 10.0.0.0/8, or an address, which is a network of one
// address.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf(
				"%q is neither a network, for example 10.0.0.0/8, nor an address", text)
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q has to be written as an IPv4 network", text)
	}
	return network.Masked(), nil
}

// clients returns a resolver of the clients behind the trusted proxies.
func (c serveConfig) clients() (clientaddr.Resolver, error) {
	var r clientaddr.Resolver
	for _, text := range c.TrustedProxies {
		network, err := parseNetwork(text)
		if err != nil {
			return clientaddr.Resolver{}, err
		}
		r.Trusted = append(r.Trusted, network)
	}
	return r, nil
}

func serveCommand(sandbox video.Sandbox) *cobra.Command {
	cfg := serveConfig{Sandbox: sandbox}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Run the server. Each flag can be an environment variable instead, as " +
			"RECOLLECT_LISTEN is for --listen, or a line of the file that --config\n" +
			"names, as \"listen: 127.0.0.1:7180\". The command line comes first, then the " +
			"environment, then the file.",
		Example: `  recollect serve
  recollect serve --listen 127.0.0.1:7180 --data ./data
  RECOLLECT_ROOT_ACCESS_KEY_ID=... RECOLLECT_ROOT_SECRET_ACCESS_KEY=... recollect serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := valid(cfg.Validate()); err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cfg.addFlags(cmd.Flags())
	configure(cmd)
	return cmd
}

// addFlags adds the flags of serve, with their defaults.
func (c *serveConfig) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:7180", "address and port to listen on")
	flags.StringVar(&c.TLS.Certificate, "tls-cert", "",
		"PEM file of the server's certificate and its intermediates, read again when it changes")
	flags.StringVar(&c.TLS.Key, "tls-key", "", "PEM file of the certificate's key")
	flags.StringVar(&c.TLS.ClientCA, "tls-client-ca", "",
		"PEM file of the authorities of client certificates; with it every client needs one")
	flags.BoolVar(&c.Insecure, "insecure", false,
		"serve plain HTTP on an address that other machines reach, for instance behind a proxy "+
			"that terminates TLS")
	flags.StringVar(&c.Store, "store", "",
		"URL of a PostgreSQL database that keeps the data, as postgres://user@host/name; its "+
			"password may be in PGPASSWORD or a file that PGPASSFILE names (default: SQLite in "+
			"--data)")
	flags.StringVar(&c.Data, "data", "data", "folder of the database and the root key")
	flags.StringVar(&c.MasterKey, masterKeyFlag, "",
		"with --store, the file that has the master key of all servers (default: "+
			iam.MasterKeyFile+" in --data, which the first server makes)")
	flags.StringVar(&c.Library, "library", defaultLibrary(),
		"folder of ONNX Runtime and the model packs")
	flags.StringVar(&c.Device, "device", server.DeviceCPU,
		"what the networks run on: cpu, or cuda if ONNX Runtime's CUDA provider is there")
	flags.StringSliceVar(&c.Regions, "region", []string{"us-east-1"},
		"regions that the server serves, separated by commas; each has collections of its own")
	flags.StringVar(&c.Account, "account", "123456789012", "account of the root key")
	flags.StringVar(&c.S3Root, "s3-root", "", "folder whose subfolders are the buckets of "+
		"S3Object")
	flags.StringVar(&c.S3Endpoint, "s3-endpoint", "",
		"URL of the S3 endpoint of S3Object; its key is in "+s3AccessKeyIDEnv+" and "+
			s3SecretAccessKeyEnv)
	flags.StringVar(&c.S3Region, "s3-region", "",
		"region of the S3 endpoint (default: the first --region)")
	flags.BoolVar(&c.S3VirtualHost, "s3-virtual-host", false,
		"address buckets as bucket.host instead of host/bucket")
	flags.StringVar(&c.FFmpeg, "ffmpeg", "",
		"program that decodes stored videos (default: FFmpeg of lib/ffmpeg beside the library "+
			"folder, or else that of the system)")
	flags.IntVar(&c.Jobs, "jobs", 0,
		"jobs on stored videos that are run at one moment (default: one for each 4 cores)")
	flags.DurationVar(&c.JobRetention, "job-retention", job.DefaultRetention,
		"how long a finished job and its results are kept")
	flags.StringVar(&c.SNSEndpoint, "sns-endpoint", "",
		"URL of the SNS endpoint that the ends of jobs are published to; its key is in "+
			snsAccessKeyIDEnv+" and "+snsSecretAccessKeyEnv)
	flags.StringVar(&c.Webhooks, "webhooks", "",
		"JSON file of the webhooks that are called in place of topics of SNS")
	flags.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil,
		"networks of the proxies in front of the server, such as 10.0.0.0/8, separated by commas; "+
			"their Forwarded, or X-Forwarded-For and X-Forwarded-Proto, which they have to set "+
			"themselves, say who the client is (aws:SourceIp) and whether it used TLS "+
			"(aws:SecureTransport)")
	flags.StringSliceVar(&c.Formats, "formats", nil,
		"formats of pictures that are read beside JPEG and PNG: webp (default: none, as the "+
			"service reads none)")
	flags.StringVar(&c.Limits, "limits", "", "JSON file of request rates and quotas")
	flags.StringVar(&c.OIDC, "oidc-issuers", "",
		"JSON file of the OpenID Connect issuers whose users may assume roles")
	flags.IntVar(&c.MaxRequests, "max-requests", 0,
		"requests served at one moment (default: 256 for each core)")
	flags.IntVar(&c.MaxPictureRequests, "max-picture-requests", 0,
		"of them, those that run networks and one more for each 256 KiB of a request (default: "+
			"128 for each core)")
	flags.StringVar(&c.Metrics, "metrics", "",
		"address and port that serve metrics to every client (default: --listen serves them, to "+
			"this machine alone)")
	flags.BoolVar(&c.Thumbnails, "thumbnails", false,
		"keep a small picture of each face that is indexed, and show it to callers with "+
			"recollect:GetThumbnail; without it none are made, and those of earlier runs are "+
			"kept and not shown")
	flags.BoolVar(&c.DeleteThumbnails, "delete-thumbnails", false,
		"delete the thumbnails that earlier runs made, before the server starts to listen")
	flags.BoolVar(&c.LazyModels, "lazy-models", false,
		"be ready before the networks are loaded, for tests: requests that need them wait, and a "+
			"model pack that does not work is noticed late")
	flags.StringVar(&c.Seed, "seed", "",
		"number that makes the ids of faces repeat, for tests: the same requests, one after the "+
			"other, get the same ids; a data folder that has data is rejected (default: ids are "+
			"random)")
	flags.BoolVar(&c.SeedExistingData, "seed-existing-data", false,
		"allow --seed with a data folder, or a database, that has data")
	c.Audit.addFlags(flags)
	flags.StringVar(&c.OTLP, "otlp-endpoint", "",
		"URL of an OpenTelemetry collector that gets a trace of each request by OTLP over HTTP, "+
			"such as http://127.0.0.1:4318 (default: none)")
	flags.BoolVar(&c.LogJSON, "log-json", false, "write the log as JSON")
}

// defaultLibrary is lib/recollect beside the folder of the program, as in bin/recollect.
func defaultLibrary() string {
	program, err := os.Executable()
	if err != nil {
		return filepath.Join("lib", "recollect")
	}
	return filepath.Join(filepath.Dir(program), "..", "lib", "recollect")
}

// serve runs the server until ctx ends and requests in flight have ended.
func serve(ctx context.Context, cfg serveConfig, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if cfg.LogJSON {
		log = slog.New(slog.NewJSONHandler(stderr, nil))
	}
	settings, err := cfg.server()
	if err != nil {
		return err
	}
	app, err := server.Open(ctx, settings, log)
	if err != nil {
		return err
	}
	greet(stdout, cfg, app.URL, app.Credentials)
	return app.Run(ctx)
}

// server returns the configuration of the server, with the content of the limits file and the keys
// of the environment.
func (c serveConfig) server() (server.Config, error) {
	limits, err := readLimits(c.Limits)
	if err != nil {
		return server.Config{}, err
	}
	clients, err := c.clients()
	if err != nil {
		return server.Config{}, err
	}
	seed, err := c.seed()
	if err != nil {
		return server.Config{}, err
	}
	records, err := c.Audit.server()
	if err != nil {
		return server.Config{}, err
	}
	return server.Config{
		Version:    programVersion(),
		Listen:     c.Listen,
		TLS:        c.TLS,
		Insecure:   c.Insecure,
		Metrics:    c.Metrics,
		Store:      c.Store,
		Data:       c.Data,
		Library:    c.Library,
		Device:     c.Device,
		Regions:    c.Regions,
		Account:    c.Account,
		WebP:       slices.Contains(c.Formats, webP),
		OIDC:       c.OIDC,
		Thumbnails: c.Thumbnails,

		MasterKeyFile:    c.MasterKey,
		DeleteThumbnails: c.DeleteThumbnails,
		LazyModels:       c.LazyModels,
		Seed:             seed,
		SeedExistingData: c.SeedExistingData,

		Audit: records,
		OTLP:  c.OTLP,

		Clients:     clients,
		Images:      c.s3(),
		Rates:       limits.Rates,
		Quotas:      limits.Quotas,
		MaxRequests: c.MaxRequests,
		MaxPictures: c.MaxPictureRequests,

		Sandbox:      c.Sandbox,
		FFmpeg:       c.FFmpeg,
		Jobs:         c.Jobs,
		JobRetention: c.JobRetention,
		MaxJobs:      limits.Jobs,
		SNS: notify.SNSConfig{
			Endpoint:        c.SNSEndpoint,
			AccessKeyID:     os.Getenv(snsAccessKeyIDEnv),
			SecretAccessKey: os.Getenv(snsSecretAccessKeyEnv),
		},
		Webhooks: c.Webhooks,
	}, nil
}

// s3 returns the source of S3 objects.
func (c serveConfig) s3() server.S3Config {
	s3 := server.S3Config{
		Root:            c.S3Root,
		Endpoint:        c.S3Endpoint,
		Region:          c.S3Region,
		AccessKeyID:     os.Getenv(s3AccessKeyIDEnv),
		SecretAccessKey: os.Getenv(s3SecretAccessKeyEnv),
		VirtualHost:     c.S3VirtualHost,
	}
	if s3.Region == "" && len(c.Regions) > 0 {
		s3.Region = c.Regions[0]
	}
	return s3
}

// greet prints the first commands that a user of the server may try.
func greet(w io.Writer, cfg serveConfig, url, credentials string) {
	fmt.Fprintf(w, "Recollect %s is ready on %s (region %s, account %s).\n\n", programVersion(),
		url, strings.Join(cfg.Regions, ", "), cfg.Account)
	fmt.Fprintf(w, "The console is at %s%s.\n", url, console.Prefix)
	cli, profile, python, session := "", "", "import boto3", "boto3"
	if credentials == "" {
		fmt.Fprintf(w,
			"The root key is the one in %s. Give it to the clients as AWS_ACCESS_KEY_ID and "+
				"AWS_SECRET_ACCESS_KEY.\n", iam.RootAccessKeyIDEnv)
	} else {
		if abs, err := filepath.Abs(credentials); err == nil {
			credentials = abs
		}
		fmt.Fprintf(w, "The root key is in %s, which only you can read.\n", credentials)
		// With the profile named, clients use this key even if the environment has another.
		profile, session = " --profile default", `boto3.Session(profile_name="default")`
		cli = fmt.Sprintf("AWS_SHARED_CREDENTIALS_FILE=%q ", credentials)
		python = fmt.Sprintf(
			"import os, boto3\n    os.environ[\"AWS_SHARED_CREDENTIALS_FILE\"] = %q", credentials)
	}
	fmt.Fprintf(w, `
AWS CLI:

    %[1]saws rekognition list-collections --endpoint-url %[3]s --region %[4]s%[5]s

Python:

    %[2]s
    client = %[6]s.client("rekognition", endpoint_url=%[3]q, region_name=%[4]q)
    answer = client.list_collections()
    print(answer["CollectionIds"], answer["FaceModelVersions"])

`, cli, python, url, cfg.Regions[0], profile, session)
}
