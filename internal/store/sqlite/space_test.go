package sqlite

import (
	"errors"
	"fmt"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// A change for which there is no room fails with ErrNoSpace, whatever the driver's error is.
func TestNoSpace(t *testing.T) {
	store, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	// SQLite raises the number to the pages that there are already.
	var pages int
	if err := store.writer.conn.QueryRowContext(t.Context(),
		"PRAGMA max_page_count = 1").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	realm := recollect.Realm{Account: "123456789012", Region: "us-east-1"}
	for i := range 10_000 {
		_, err = store.CreateCollection(t.Context(),
			face.Collection{Realm: realm, ID: fmt.Sprint(i), FaceModelVersion: "1.0"}, nil, 0)
		if err != nil {
			break
		}
	}
	if !errors.Is(err, recollect.ErrNoSpace) {
		t.Errorf("a full database returns %v, want ErrNoSpace", err)
	}
	if recollect.CodeOf(err) != recollect.CodeInternal {
		t.Errorf("its code is %d", recollect.CodeOf(err))
	}
}
