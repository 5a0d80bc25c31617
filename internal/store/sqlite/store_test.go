package sqlite_test

import (
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

func openStore(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) face.Store { return openStore(t, t.TempDir()) })
}

func TestIdentities(t *testing.T) {
	storetest.RunIdentities(t, func(t *testing.T) storetest.Identities {
		return openStore(t, t.TempDir()).Identities()
	})
}

func TestRecord(t *testing.T) {
	storetest.RunRecord(t,
		func(t *testing.T) storetest.Record { return openStore(t, t.TempDir()) })
}

func TestTransfers(t *testing.T) {
	storetest.RunTransfers(t,
		func(t *testing.T) storetest.Transfers { return openStore(t, t.TempDir()) })
}

func TestJobs(t *testing.T) {
	storetest.RunJobs(t, func(t *testing.T) storetest.Jobs { return openStore(t, t.TempDir()) })
}
