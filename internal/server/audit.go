package server

import (
	"context"
	"fmt"
	"io"
	"path"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/source/s3"
)

// Audit says where the records of calls go. The zero value is nowhere.
type Audit struct {
	Folder   *audit.FolderConfig // nil: none
	Syslog   []audit.Syslog
	Required bool // no call is answered without a record

	// Bucket and Prefix say where closed files of the folder are uploaded to, at the endpoint of
	// the pictures in S3; without a bucket they are not.
	Bucket, Prefix string
}

// uploads keeps closed files of the audit log in a bucket.
type uploads struct {
	client         *s3.Client
	bucket, prefix string
}

// Upload implements [audit.Uploader].
func (u uploads) Upload(ctx context.Context, log, name string, content io.ReadSeeker) error {
	return u.client.Put(ctx, u.bucket, path.Join(u.prefix, log, name), content)
}

// openAudit opens the audit log; nil if there is none.
func (a *App) openAudit(ctx context.Context) (*trail.Trail, error) {
	cfg := a.cfg.Audit
	if cfg.Folder == nil && len(cfg.Syslog) == 0 {
		return nil, nil
	}
	if cfg.Bucket != "" {
		client, err := s3.NewClient(a.cfg.Images.client())
		if err != nil {
			return nil, fmt.Errorf("open the bucket of the audit log: %w", err)
		}
		folder := *cfg.Folder
		folder.Upload = uploads{client, cfg.Bucket, cfg.Prefix}
		cfg.Folder = &folder
	}
	log, err := audit.Open(ctx, audit.Config{Folder: cfg.Folder, Syslog: cfg.Syslog,
		Required: cfg.Required, Program: a.cfg.Version, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.closers.add("the audit log", log.Close)
	watchAudit(a.recorder.Registerer(), log)
	return trail.New(log, a.cfg.Regions[0]), nil
}

// watchAudit registers metrics of the audit log.
func watchAudit(registry prometheus.Registerer, log *audit.Log) {
	for outcome, count := range map[string]func() float64{
		"ok":     func() float64 { n, _ := log.Uploads(); return float64(n) },
		"failed": func() float64 { _, n := log.Uploads(); return float64(n) },
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "recollect_audit_uploads_total",
			Help:        "Uploads of closed files of the audit log, by outcome: ok, or failed.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, count))
	}
	for _, d := range log.Destinations() {
		for outcome, count := range map[string]func() int64{"written": d.Written, "lost": d.Lost} {
			registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "recollect_audit_records_total",
				Help: "Records of the audit log, by destination and outcome: written, or " +
					"lost.",
				ConstLabels: prometheus.Labels{"destination": d.Name, "outcome": outcome},
			}, func() float64 { return float64(count()) }))
		}
	}
}
