package admin_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/audit"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

// records is an audit log in memory that is required.
type records struct {
	mu     sync.Mutex
	all    []*audit.Record
	refuse string // the type of records that are not written
}

func (l *records) Required() bool { return true }

func (l *records) Write(_ context.Context, r *audit.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse == r.EventType {
		return audit.ErrNotWritten
	}
	l.all = append(l.all, r)
	return nil
}

func (l *records) take() []*audit.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.all
	l.all = nil
	return taken
}

// Each route has a record, which comes before an archive that is sent.
func TestRecords(t *testing.T) {
	log := new(records)
	d := open(t, func(cfg *admin.Config) { cfg.Trail = trail.New(log, "us-east-1") })
	transfertest.Fill(t, d.store, home, "people", 3)
	for path, want := range map[string]string{"overview": "GetOverview", "models": "GetModels",
		"permissions": "GetPermissions", "backup": "Backup",
		"export?collection=people": "ExportCollection"} {
		status, archive := d.send(t, d.root, "GET", path, nil)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		taken := log.take()
		if len(taken) != 2 || taken[0].EventType != audit.TypeIntent {
			t.Fatalf("%s has %d records", path, len(taken))
		}
		r := taken[1]
		if r.EventSource != "recollect" || r.EventName != want || r.EventType != audit.TypeCall ||
			!r.ReadOnly || r.ErrorCode != "" || r.UserIdentity.Type != "Root" ||
			r.RequestID != taken[0].RequestID {
			t.Errorf("%s: %+v", path, r)
		}
		if want == "ExportCollection" && (r.RequestParameters["collection"] != "people" ||
			len(r.Resources) != 1 || r.Resources[0].ARN !=
			"arn:aws:rekognition:us-east-1:123456789012:collection/people") {
			t.Errorf("%+v", r)
		}
		if want == "ExportCollection" {
			d.send(t, d.root, "POST", "import?collection=copy", archive)
			if taken = log.take(); len(taken) != 2 || taken[0].ReadOnly || taken[1].ReadOnly ||
				taken[1].EventName != "ImportCollection" || taken[1].ErrorCode != "" {
				t.Errorf("%+v", taken)
			}
		}
	}
	nobody := d.user(t, account, "anna", "read-only")
	d.refused(t, "AccessDeniedException", nobody, "GET", "backup", nil)
	taken := log.take()
	if len(taken) != 1 || taken[0].ErrorCode != "AccessDeniedException" ||
		taken[0].EventName != "Backup" || taken[0].UserIdentity.UserName != "anna" {
		t.Errorf("%+v", taken)
	}
}

// Nothing is sent without a record.
func TestNotRecorded(t *testing.T) {
	log := new(records)
	d := open(t, func(cfg *admin.Config) { cfg.Trail = trail.New(log, "us-east-1") })
	for refuse, path := range map[string]string{audit.TypeIntent: "backup",
		audit.TypeCall: "overview"} {
		log.refuse = refuse
		d.refused(t, "InternalServerError", d.root, "GET", path, nil)
	}
	log.refuse = audit.TypeCall
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		d.url+"/recollect/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.sign(t, d.root, r, sha256.Sum256(nil))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an archive without a record ends with %v", err)
	}
	resp.Body.Close()
}
