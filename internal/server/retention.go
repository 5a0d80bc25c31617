package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/face"
)

const (
	// betweenSweeps is how often expired faces are looked for, and so how exactly their age is
	// known.
	betweenSweeps = time.Hour
	// beforeSweeps is the time from the start of a server to the first.
	beforeSweeps = time.Minute
	// sweepFaces is how many faces of a collection are deleted at once: some milliseconds of work.
	sweepFaces = 256
)

// expirer finds and deletes expired faces.
type expirer interface {
	ExpiredFaces(ctx context.Context, req face.ExpiredFacesRequest) (*face.ExpiredFacesResult,
		error)
	DeleteExpired(ctx context.Context, e face.Expired) ([]face.Face, error)
}

// retention deletes the faces whose collection has a tag [face.RetentionTag] once they are too old.
// In a cluster each node does: a face is deleted, recorded and counted by the node that is first.
type retention struct {
	faces   expirer
	trail   *trail.Trail
	log     *slog.Logger
	deleted func(faces float64) // counts them
	now     func() time.Time
}

// startRetention deletes expired faces from now on, until the server is closed.
func (a *App) startRetention(ctx context.Context, faces expirer) {
	deleted := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "recollect_expired_faces_deleted_total",
		Help: "Faces that were deleted because their collection's retention was over.",
	})
	a.recorder.Registerer().MustRegister(deleted)
	r := &retention{faces: faces, trail: a.trail, log: a.log, deleted: deleted.Add, now: time.Now}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run(ctx)
	}()
	a.closers.add("the deletion of old faces", func() error {
		stop()
		<-ended
		return nil
	})
}

func (r *retention) run(ctx context.Context) {
	for wait := beforeSweeps; ; wait = betweenSweeps {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if err := r.sweep(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("old faces could not be deleted, which will be tried again",
				"error", err, "after", betweenSweeps)
		}
	}
}

// sweep deletes all faces that are expired. It pauses after each step for as long as the step took.
func (r *retention) sweep(ctx context.Context) error {
	for first := true; ; first = false {
		started := time.Now()
		found, err := r.faces.ExpiredFaces(ctx, face.ExpiredFacesRequest{Limit: sweepFaces})
		if err != nil {
			return err
		}
		if first {
			for _, t := range found.Invalid {
				r.log.Warn("a collection's retention is invalid: none of its faces are deleted",
					"account", t.Collection.Realm.Account, "region", t.Collection.Realm.Region,
					"collection", t.Collection.ID, "tag", face.RetentionTag, "value", t.Value)
			}
		}
		deleted := 0
		var faults []error
		for _, e := range found.Expired {
			n, err := r.delete(ctx, e)
			deleted += n
			if err != nil {
				faults = append(faults, err)
			}
		}
		if deleted == 0 || len(faults) > 0 {
			return errors.Join(faults...)
		}
		select {
		case <-time.After(time.Since(started)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// delete deletes expired faces with a record, and returns how many it deleted. If the audit log is
// required, nothing is deleted before a record says so.
func (r *retention) delete(ctx context.Context, e face.Expired) (int, error) {
	if r.trail.Required() {
		if err := r.record(ctx, audit.TypeIntent, e, e.Faces); err != nil {
			return 0, err
		}
	}
	deleted, err := r.faces.DeleteExpired(ctx, e)
	if len(deleted) == 0 {
		return 0, err
	}
	r.deleted(float64(len(deleted)))
	r.log.Info("deleted old faces", "account", e.Collection.Realm.Account,
		"region", e.Collection.Realm.Region, "collection", e.Collection.ID,
		"retention_days", e.Days, "faces", len(deleted))
	return len(deleted), errors.Join(err, r.record(ctx, audit.TypeEvent, e, deleted))
}

// record writes a record about faces of a collection.
func (r *retention) record(ctx context.Context, eventType string, e face.Expired,
	faces []face.Face) error {
	ids := make([]string, len(faces))
	for i, f := range faces {
		ids[i] = f.ID
	}
	realm := e.Collection.Realm
	return r.trail.Event(ctx, eventType, "DeleteExpiredFaces", realm, r.now(),
		[]string{face.CollectionARN(realm, e.Collection.ID)},
		map[string]any{"retentionDays": e.Days, "faceIds": ids})
}
