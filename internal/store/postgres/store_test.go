package postgres_test

import (
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

func openStore(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
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
	server := postgrestest.Start(t)
	storetest.Run(t, func(t *testing.T) face.Store { return openStore(t, server.NewDatabase(t)) })
}

func TestIdentities(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.RunIdentities(t, func(t *testing.T) storetest.Identities {
		return openStore(t, server.NewDatabase(t)).Identities()
	})
}

func TestRecord(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.RunRecord(t,
		func(t *testing.T) storetest.Record { return openStore(t, server.NewDatabase(t)) })
}

func TestTransfers(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.RunTransfers(t,
		func(t *testing.T) storetest.Transfers { return openStore(t, server.NewDatabase(t)) })
}

func TestJobs(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.RunJobs(t,
		func(t *testing.T) storetest.Jobs { return openStore(t, server.NewDatabase(t)) })
}
