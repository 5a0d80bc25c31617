package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// oldFaces are faces that have expired, of one collection.
type oldFaces struct {
	mu      sync.Mutex // held by a test while it looks, so that a sweep comes before or after
	left    int
	sweeps  int
	invalid bool
	err     error
}

var people = face.Collection{ID: "people",
	Realm: recollect.Realm{Account: "123456789012", Region: "us-east-1"}}

func (o *oldFaces) ExpiredFaces(_ context.Context,
	req face.ExpiredFacesRequest) (*face.ExpiredFacesResult, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sweeps++
	result := &face.ExpiredFacesResult{}
	if o.invalid {
		result.Invalid = []face.TaggedCollection{{Collection: people, Value: "soon"}}
	}
	if n := min(req.Limit, o.left); n > 0 {
		faces := make([]face.Face, n)
		for i := range faces {
			faces[i].ID = fmt.Sprint("face-", o.left-i)
		}
		result.Expired = []face.Expired{{Collection: people, Days: 30, Faces: faces}}
	}
	return result, nil
}

func (o *oldFaces) DeleteExpired(_ context.Context, e face.Expired) ([]face.Face, error) {
	if o.err != nil {
		return nil, o.err
	}
	o.left -= len(e.Faces)
	return e.Faces, nil
}

// records is an audit log in memory.
type records struct {
	all      []*audit.Record
	required bool
	refuses  bool
}

func (l *records) Required() bool { return l.required }

func (l *records) Write(_ context.Context, r *audit.Record) error {
	if l.refuses {
		return audit.ErrNotWritten
	}
	l.all = append(l.all, r)
	return nil
}

func newRetention(faces expirer, log *records, lines *bytes.Buffer) *retention {
	return &retention{faces: faces, trail: trail.New(log, "us-east-1"), now: time.Now,
		log: slog.New(slog.NewTextHandler(lines, nil)), deleted: func(float64) {}}
}

// Old faces are deleted each hour, in steps, with records that name them.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faces, log, lines := &oldFaces{left: 600, invalid: true}, new(records), new(bytes.Buffer)
		r := newRetention(faces, log, lines)
		counted := 0.0
		r.deleted = func(n float64) { counted += n }
		ctx, stop := context.WithCancel(t.Context())
		go r.run(ctx)
		time.Sleep(beforeSweeps + time.Second)
		synctest.Wait()
		faces.mu.Lock()
		if faces.left != 0 || faces.sweeps != 4 || len(log.all) != 3 ||
			counted != 600 {
			t.Errorf("%d left after %d steps, with %d records", faces.left, faces.sweeps,
				len(log.all))
		}
		one := log.all[2]
		ids, _ := one.AdditionalEventData["faceIds"].([]string)
		if one.EventName != "DeleteExpiredFaces" || one.EventType != audit.TypeEvent ||
			one.EventSource != "recollect" || one.UserIdentity.InvokedBy != "recollect" ||
			one.Region != "us-east-1" || one.RecipientAccountID != "123456789012" ||
			len(one.Resources) != 1 || one.Resources[0].ARN !=
			"arn:aws:rekognition:us-east-1:123456789012:collection/people" ||
			one.AdditionalEventData["retentionDays"] != 30 || len(ids) != 88 ||
			ids[87] != "face-1" {
			t.Errorf("%+v", one)
		}
		if n := strings.Count(lines.String(), "retention is invalid"); n != 1 {
			t.Errorf("%d lines: %s", n, lines)
		}
		faces.left = 1
		faces.mu.Unlock()
		time.Sleep(betweenSweeps)
		synctest.Wait()
		if faces.left != 0 {
			t.Error("there is no second time")
		}
		stop()
		synctest.Wait()
	})
}

// If the audit log is required, nothing is deleted without a record before it.
func TestRetentionWithRequiredRecords(t *testing.T) {
	faces, log := &oldFaces{left: 1}, &records{required: true, refuses: true}
	r := newRetention(faces, log, new(bytes.Buffer))
	if err := r.sweep(t.Context()); !errors.Is(err, audit.ErrNotWritten) || faces.left != 1 {
		t.Errorf("%v, %d left", err, faces.left)
	}
	log.refuses = false
	if err := r.sweep(t.Context()); err != nil || faces.left != 0 || len(log.all) != 2 ||
		log.all[0].EventType != audit.TypeIntent || log.all[1].EventType != audit.TypeEvent {
		t.Errorf("%v, %d left, %+v", err, faces.left, log.all)
	}
}

// A failure ends the sweep, and is no record.
func TestRetentionFails(t *testing.T) {
	broken := errors.New("broken")
	faces, log := &oldFaces{left: 1, err: broken}, new(records)
	r := newRetention(faces, log, new(bytes.Buffer))
	if err := r.sweep(t.Context()); !errors.Is(err, broken) || log.all != nil ||
		faces.sweeps != 1 {
		t.Errorf("%v, %+v", err, log.all)
	}
}
