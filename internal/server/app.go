// Package server assembles Recollect's server: it opens the store, the indexes and the engines,
// serves the APIs, the console and metrics, and closes all of it in the reverse order.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/console"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/sts"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/cluster"
	"github.com/recollect-dev/recollect/internal/engine/ocr"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/metrics"
	"github.com/recollect-dev/recollect/internal/oidc"
	"github.com/recollect-dev/recollect/internal/tracing"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// heapFloor is a reserved allocation that is never written to, so that it counts for the garbage
// collector's pace and takes no physical memory. Without it the heap of a server with few faces is
// so small that the collector runs every few requests, on cores that run networks at that moment:
// that took a tenth of the time of a small picture.
const heapFloor = 128 << 20

// App is a server. [Open] opens it, and [App.Run] serves once and closes it.
type App struct {
	// URL is where it listens.
	URL string

	// Credentials is the file of the root key; empty if the environment has the key.
	Credentials string

	cfg      Config
	log      *slog.Logger
	front    *front
	server   *frontServer
	recorder *metrics.Recorder
	activity *admin.Activity
	loading  *loading // nil: the engines were loaded by Open
	reader   *reader  // of text
	closers  closers
	guard    *authn.Guard // against guessed secrets
	trail    *trail.Trail // to the audit log; nil: there is none
	floor    []byte
}

// Open opens the parts of a server. It listens and answers health checks while the parts are
// opened, and serves the API once all are open. If a part cannot be opened, all earlier ones are
// closed.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (a *App, err error) {
	a = &App{cfg: cfg, log: log, recorder: metrics.New(cfg.Version), activity: new(admin.Activity),
		reader: newReader(), floor: make([]byte, heapFloor)}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.close(ctx))
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if err := a.cfg.checkSeed(); err != nil {
		return err
	}
	var err error
	if a.trail, err = a.openAudit(ctx); err != nil {
		return err
	}
	traces, err := a.openTraces(ctx)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	newID, err := a.cfg.newIDs(ctx, store)
	if err != nil {
		return err
	}
	identities, tokenKey, err := a.openIdentities(ctx, store)
	if err != nil {
		return err
	}
	providers, err := a.openProviders()
	if err != nil {
		return err
	}
	images, err := OpenImages(a.cfg.Images)
	if err != nil {
		return fmt.Errorf("open the source of pictures in S3: %w", err)
	}
	if err := a.listen(ctx); err != nil {
		return err
	}
	ffmpeg := a.tryFFmpeg(ctx)
	faces, users, err := a.openIndexes(ctx, store)
	if err != nil {
		return err
	}
	members, err := a.join(ctx, store.nodes, faces, users)
	if err != nil {
		return err
	}
	a.guard = authn.NewGuard(a.log)
	watchGuard(a.recorder.Registerer(), a.guard)
	engines, adminRoutes, err := a.enginesAndRoutes(store, identities, members)
	if err != nil {
		return err
	}
	a.closers.add("the text engine", a.reader.close)
	texts, err := a.reader.service(a.cfg.Library)
	if err != nil {
		return err
	}
	service, err := face.NewService(face.Config{
		Store:      traces.Store(store),
		Faces:      traces.Index(faces.Index),
		Users:      traces.Index(users.Index),
		Engines:    traces.Engines(engines),
		Limits:     a.cfg.Quotas,
		Thumbnails: a.cfg.Thumbnails,
		NewID:      newID,
	})
	if err != nil {
		return err
	}
	a.startRetention(ctx, service)
	//nolint:contextcheck // jobs end with the queue
	videos, err := a.openVideos(store, service, engines, ffmpeg)
	if err != nil {
		return err
	}
	api := rekognition.New(rekognition.Config{
		Service:     service,
		Text:        texts,
		Videos:      videos,
		Identities:  identities,
		Clients:     a.cfg.Clients,
		Images:      images,
		Regions:     a.cfg.Regions,
		TokenKey:    tokenKey,
		Log:         a.log,
		Observer:    observers{a.recorder, a.activity},
		Rates:       a.cfg.Rates,
		MaxRequests: a.cfg.MaxRequests,
		MaxPictures: a.cfg.MaxPictures,
		SharedRates: store.buckets,
		Guard:       a.guard,
		Trail:       a.trail,
	})
	tokens := sts.New(sts.Config{
		Identities: identities,
		Providers:  providers,
		Regions:    a.cfg.Regions,
		Log:        a.log,
		Observer:   observers{a.recorder, a.activity},
		Clients:    a.cfg.Clients,
		Guard:      a.guard,
		Trail:      a.trail,
	})
	counted := traces.Handler(a.recorder.InFlight(api))
	adminRoutes = traces.Handler(adminRoutes)
	a.front.open(store, counted, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.IsOwnPath(r.URL.Path) {
			counted.ServeHTTP(w, r)
			return
		}
		adminRoutes.ServeHTTP(w, r)
	}), traces.Handler(a.recorder.InFlight(tokens)))
	return nil
}

// openTraces begins to send traces; nil if there is no collector.
func (a *App) openTraces(ctx context.Context) (*tracing.Tracing, error) {
	if a.cfg.OTLP == "" {
		return nil, nil
	}
	traces, err := tracing.Open(ctx, tracing.Config{Endpoint: a.cfg.OTLP,
		Version: a.cfg.Version, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.closers.add("the traces", traces.Close)
	return traces, nil
}

// openProviders reads the issuers of identity tokens; nil if none are configured.
func (a *App) openProviders() (*oidc.Issuers, error) {
	if a.cfg.OIDC == "" {
		return nil, nil
	}
	return oidc.Load(a.cfg.OIDC)
}

// listen serves health, metrics and the console. Requests of the API are rejected until all parts
// are open.
func (a *App) listen(ctx context.Context) error {
	local := localOnly(a.recorder.Handler())
	if a.cfg.Metrics != "" {
		stop, err := serveMetrics(ctx, a.cfg.Metrics, a.recorder.Handler(), a.log)
		if err != nil {
			return err
		}
		a.closers.add("the metrics", stop)
		local = nil
	}
	pages, err := console.New(console.Config{Version: a.cfg.Version, Regions: a.cfg.Regions})
	if err != nil {
		return err
	}
	a.front = newFront(a.log, pages, local)
	var certificates *certificates
	scheme := "http://"
	if a.cfg.TLS.enabled() {
		scheme = "https://"
		if certificates, err = openCertificates(a.cfg.TLS, a.log); err != nil {
			return err
		}
		watchCertificate(a.recorder.Registerer(), certificates)
	}
	a.server, err = startFront(ctx, a.cfg.Listen, a.front, certificates, a.cfg.Insecure, a.log)
	if err != nil {
		return err
	}
	a.URL = scheme + a.server.listener.Addr().String()
	return nil
}

// openEngines loads all model packs of faces, the default first, and the one that reads text, if it
// is installed. They share one limit on the memory of pictures.
func (a *App) openEngines() ([]*vision.Engine, error) {
	defer close(a.reader.done)
	models, err := OpenModels(a.cfg.Library, a.cfg.Device)
	if err != nil {
		return nil, err
	}
	memory := vision.NewMemory(vision.DefaultMemory)
	a.recorder.WatchMemory(memory.InWork)
	options := vision.Options{
		Memory: memory,
		WebP:   a.cfg.WebP,
		Observe: func(stage vision.Stage, took time.Duration) {
			a.recorder.ObserveStage(string(stage), took)
		},
	}
	engines, err := models.loadAll(options)
	if err != nil {
		return nil, err
	}
	reader, err := models.LoadText(ocr.Options{Pictures: options,
		Observe: func(stage ocr.Stage, took time.Duration) {
			a.recorder.ObserveStage(string(stage), took)
		}})
	if err != nil {
		return nil, errors.Join(err, closeEngines(engines))
	}
	a.reader.engine = reader
	return engines, nil
}

// enginesAndRoutes loads the engines and makes the operator's routes, which describe them. With
// lazy models both are there at once, and wait for the networks where they need them; a pack that
// does not load ends the server then.
func (a *App) enginesAndRoutes(store *record, identities *iam.Service,
	members *cluster.Membership) ([]face.Engine, http.Handler, error) {
	if !a.cfg.LazyModels {
		engines, err := a.openEngines()
		if err != nil {
			return nil, nil, err
		}
		a.closers.add("the engines", func() error { return closeEngines(engines) })
		return asEngines(engines), a.adminRoutes(store, identities, engines, members), nil
	}
	l := load(a.openEngines)
	a.closers.add("the engines", l.close)
	a.loading = l
	promised, err := l.promised(a.cfg.Library)
	return promised, l.whenLoaded(func(engines []*vision.Engine) http.Handler {
		return a.adminRoutes(store, identities, engines, members)
	}), err
}

func (a *App) adminRoutes(store *record, identities *iam.Service, engines []*vision.Engine,
	members *cluster.Membership) http.Handler {
	return admin.New(admin.Config{
		Store:    store,
		Backup:   store.backup,
		Exporter: &transfer.Exporter{Store: store, Program: a.cfg.Version},
		Importer: &transfer.Importer{Store: store, Rules: admin.Rules{},
			Models: importable(engines), Limits: a.cfg.Quotas},
		Identities: identities,
		Clients:    a.cfg.Clients,
		Guard:      a.guard,
		Trail:      a.trail,
		Regions:    a.cfg.Regions,
		Account:    a.cfg.Account,
		Data:       a.cfg.Data,
		Version:    a.cfg.Version,
		Models:     modelsOf(engines),
		Activity:   a.activity,
		Cluster:    members,
		Log:        a.log,
		Thumbnails: a.cfg.Thumbnails,
	})
}

// Run serves until ctx ends, and closes the server. It returns an error if requests were still in
// flight at the end of the grace period, or if a part could not be closed.
func (a *App) Run(ctx context.Context) error {
	defer runtime.KeepAlive(a.floor)
	failed := make(chan error, 1)
	if a.loading != nil {
		go func() {
			if _, err := a.loading.wait(ctx); err != nil && ctx.Err() == nil {
				failed <- err
			}
		}()
	}
	var err error
	select {
	case err = <-a.server.served:
	case err = <-failed:
	case <-ctx.Done():
		a.log.Info("stopping", "at_most", a.server.grace)
	}
	if err = errors.Join(err, a.close(ctx)); err == nil {
		a.log.Info("stopped")
	}
	return err
}

// close ends the server and closes its parts: new requests are rejected, those in flight finish or
// are cancelled, their handlers return, and then engines, indexes and the store are closed. Closing
// an engine waits for runs of networks that have begun.
func (a *App) close(ctx context.Context) error {
	var err error
	if a.front != nil {
		a.front.close()
	}
	if a.server != nil {
		err = a.server.stop(context.WithoutCancel(ctx))
	}
	return errors.Join(err, a.closers.close())
}

func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret
}
