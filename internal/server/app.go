// Package server joins the parts of Recollect to a server: it opens the store, the indexes and the
// engines, serves the APIs, the console and metrics, and closes all of it in the right order.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/console"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/metrics"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// Config is the configuration of a server.
type Config struct {
	Version string // of the program

	Listen     string   // host:port
	Metrics    string   // host:port of unrestricted metrics; empty: Listen serves them to this host
	Data       string   // folder of the store and the root key
	Library    string   // folder of ONNX Runtime and the model packs
	Device     string   // DeviceCPU or DeviceCUDA
	Regions    []string // at least one
	Account    string   // of the root key
	Thumbnails bool     // of the faces that are indexed are kept

	Clients     clientaddr.Resolver
	Images      S3Config
	Rates       rekognition.Rates
	Quotas      face.Limits
	MaxRequests int // at one moment; 0: the default
	MaxPictures int // as MaxRequests, for requests that run networks
}

// shutdownTimeout is how long requests in flight have to finish after a signal.
const shutdownTimeout = 30 * time.Second

// heapFloor is memory that is reserved and never touched, so that it counts for the garbage
// collector and costs nothing. Without it a server with few faces is collected every few requests,
// on cores that the networks are using without Go's knowing: a tenth of the time of a small
// picture.
const heapFloor = 128 << 20

// Serve runs the server until ctx ends, and then for as long as requests in flight need. It calls
// started with the server's URL and the file of the root key, which is empty if the environment has
// the key.
func Serve(ctx context.Context, cfg Config, log *slog.Logger,
	started func(url, credentials string)) (err error) {
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	store, err := sqlite.Open(ctx, cfg.Data, sqlite.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if !cfg.Thumbnails {
		wiped, err := store.WipeThumbnails(ctx)
		if err != nil {
			return err
		}
		if wiped > 0 {
			log.Info("deleted the thumbnails that an earlier run kept", "faces", wiped)
		}
	}
	key, credentials, err := iam.RootKey(cfg.Data, cfg.Account, os.Getenv)
	if err != nil {
		return err
	}
	sealer, err := iam.OpenSealer(ctx, cfg.Data, store.Identities())
	if err != nil {
		return err
	}
	tokenKey, err := store.SettingOrCreate(ctx, "pagination-token-key", newSecret)
	if err != nil {
		return fmt.Errorf("read the key of pagination tokens: %w", err)
	}
	images, err := OpenImages(cfg.Images)
	if err != nil {
		return fmt.Errorf("open the source of pictures in S3: %w", err)
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return err
	}
	recorder, activity := metrics.New(cfg.Version), new(admin.Activity)
	shown := localOnly(recorder.Handler())
	if cfg.Metrics != "" {
		stop, err := serveMetrics(ctx, cfg.Metrics, recorder.Handler(), log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer stop()
		shown = nil
	}
	pages, err := console.New(console.Config{Version: cfg.Version, Regions: cfg.Regions})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	front := newFront(log, pages, shown)
	server := &http.Server{
		Handler:           front,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      5 * time.Minute, // from the headers to the last byte of the answer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// "OPTIONS *" is answered as every other request that is none of the API's.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	files, err := openIndexFiles(ctx, store, cfg.Data)
	if err != nil {
		return err
	}
	faces := exact.New(store, exact.Options{Files: files, Log: log})
	defer func() { err = errors.Join(err, faces.Close()) }()
	faces.Warm() // while networks load, on another core
	models, err := OpenModels(cfg.Library, cfg.Device)
	if err != nil {
		return err
	}
	memory := vision.NewMemory(vision.DefaultMemory)
	recorder.WatchMemory(memory.InWork)
	engines, err := models.loadAll(vision.Options{
		Memory: memory,
		Observe: func(stage vision.Stage,
			took time.Duration) {
			recorder.ObserveStage(string(stage), took)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeEngines(engines)) }()
	users := exact.New(exact.SourceFunc(store.UserVectors),
		exact.Options{MaxBytes: exact.DefaultMaxBytes / 4})
	defer func() { err = errors.Join(err, users.Close()) }()
	watchIndex(recorder.Registerer(), "faces", faces)
	watchIndex(recorder.Registerer(), "users", users)
	service, err := face.NewService(face.Config{
		Store:      store,
		Faces:      faces,
		Users:      users,
		Engines:    asEngines(engines),
		Limits:     cfg.Quotas,
		Thumbnails: cfg.Thumbnails,
	})
	if err != nil {
		return err
	}
	identities := iam.NewService(store.Identities(), sealer, key)
	api := rekognition.New(rekognition.Config{
		Service:     service,
		Identities:  identities,
		Clients:     cfg.Clients,
		Images:      images,
		Regions:     cfg.Regions,
		TokenKey:    tokenKey,
		Log:         log,
		Observer:    observers{recorder, activity},
		Rates:       cfg.Rates,
		MaxRequests: cfg.MaxRequests,
		MaxPictures: cfg.MaxPictures,
	})
	front.open(store, recorder.InFlight(api), admin.New(admin.Config{
		Store: store,
		Backup: &transfer.Backup{Store: store, Database: sqlite.DatabaseName, Data: cfg.Data,
			Program: cfg.Version},
		Exporter: &transfer.Exporter{Store: store, Program: cfg.Version},
		Importer: &transfer.Importer{Store: store, Rules: admin.Rules{},
			Models: importable(engines), Limits: cfg.Quotas},
		Identities: identities,
		Clients:    cfg.Clients,
		Regions:    cfg.Regions,
		Account:    cfg.Account,
		Data:       cfg.Data,
		Version:    cfg.Version,
		Models:     modelsOf(engines),
		Activity:   activity,
		Log:        log,
		Thumbnails: cfg.Thumbnails,
	}))
	started("http://"+listener.Addr().String(), credentials)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping", "at_most", shutdownTimeout)
	front.close()
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return fmt.Errorf("requests were still in flight after %v: %w", shutdownTimeout, err)
	}
	log.Info("stopped")
	return nil
}

func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret
}

// openIndexFiles opens the files of the index of faces, which the database can make anew at any
// time.
func openIndexFiles(ctx context.Context, store *sqlite.Store, data string) (*exact.Files, error) {
	identity, err := store.SettingOrCreate(ctx, "index",
		func() []byte { return []byte(rand.Text()) })
	if err != nil {
		return nil, err
	}
	highest, err := store.HighestFaceKey(ctx)
	if err != nil {
		return nil, err
	}
	return exact.OpenFiles(filepath.Join(data, "index"), identity, highest)
}
