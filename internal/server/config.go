package server

import (
	"time"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/notify"
	"github.com/recollect-dev/recollect/internal/video"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// Config is the configuration of a server.
type Config struct {
	Version string // of the program

	Listen   string // host:port
	TLS      TLSConfig
	Insecure bool     // Listen may be reached from other machines without TLS
	Metrics  string   // host:port of public metrics; empty: Listen has them, for this machine
	Store    string   // URL of a PostgreSQL database; empty: the store is in Data
	Data     string   // folder of the store, the root key, the master key and the index's files
	Library  string   // folder of ONNX Runtime and the model packs
	Device   string   // DeviceCPU or DeviceCUDA
	Regions  []string // at least one
	Account  string   // of the root key
	OIDC     string   // file of OpenID Connect issuers, see [oidc.Load]; empty: none

	MasterKeyFile string // with Store; empty: the environment or Data has the master key

	WebP             bool // pictures are read
	Thumbnails       bool // are made of indexed faces, and served
	DeleteThumbnails bool // of earlier runs; excludes Thumbnails

	// LazyModels says that the server is ready before the networks are loaded. Requests that need
	// them wait.
	LazyModels bool

	// Seed makes the ids of faces and users repeat, for tests: the same requests, one after the
	// other, get the same ids. nil: ids are random. Data that is there already is rejected unless
	// SeedExistingData.
	Seed             *uint64
	SeedExistingData bool

	Audit Audit
	OTLP  string // URL of the collector of traces; empty: none

	Clients     clientaddr.Resolver
	Images      S3Config
	Rates       rekognition.Rates
	Quotas      face.Limits
	MaxRequests int // at one moment; 0: the default
	MaxPictures int // as MaxRequests, for requests that run networks

	Jobs         int              // that are run at one moment; 0: one for each 4 cores
	JobRetention time.Duration    // how long a finished job is kept; 0: 7 days
	MaxJobs      int              // in progress, of an account in a region; 0: 20
	SNS          notify.SNSConfig // without an endpoint: none
	Webhooks     string           // file of webhooks, see [notify.LoadWebhooks]; empty: none

	Sandbox video.Sandbox // that FFmpeg runs in
	FFmpeg  string        // program that decodes videos; empty: that of video.Find

	analyzer videoface.Analyzer // of tests, in place of FFmpeg and the networks
}

// The limits on the time of a shutdown.
const (
	// gracePeriod is how long requests in flight may take after a signal.
	gracePeriod = 30 * time.Second

	// cancelPeriod is how long handlers may take after their contexts have ended. Only a run of a
	// network, which takes milliseconds, cannot be cancelled.
	cancelPeriod = 10 * time.Second
)
