package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// startOn runs a server until the test ends, and returns it with a client of its root key.
func startOn(t *testing.T, cfg Config, log io.Writer) (*App, *rekognition.Client) {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	a, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return a, rekognition.New(rekognition.Options{Region: "us-east-1",
		BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
			strings.Repeat("s", 40), "")})
}

// ready returns the status of the health check.
func ready(t *testing.T, a *App) int {
	t.Helper()
	answer, err := http.Get(a.URL + "/health/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + " did not come about")
		}
	}
}

// TestPostgresIsLost: a server whose database is gone says so to its load balancer and answers
// with errors, and goes on by itself once the database is back, with what was there.
func TestPostgresIsLost(t *testing.T) {
	database := postgrestest.Start(t)
	cfg := config(t)
	cfg.Store = database.NewDatabase(t)
	var log bytes.Buffer
	a, client := startOn(t, cfg, &log)
	if _, err := client.CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	if status := ready(t, a); status != http.StatusOK {
		t.Errorf("the server is ready with status %d", status)
	}

	database.Kill(t)
	waitFor(t, "status 503", func() bool { return ready(t, a) == http.StatusServiceUnavailable })
	describe := func() error {
		_, err := client.DescribeCollection(t.Context(),
			&rekognition.DescribeCollectionInput{CollectionId: aws.String("people")})
		return err
	}
	if err := describe(); err == nil {
		t.Error("a collection was described without the database")
	}

	database.Run(t)
	waitFor(t, "status 200", func() bool { return ready(t, a) == http.StatusOK })
	if err := describe(); err != nil {
		t.Error(err)
	}
}

// TestPasswordIsNotLogged: no error or line of the log has the password of the database's URL.
func TestPasswordIsNotLogged(t *testing.T) {
	const password = "open%20sesame" // which is "open sesame" without its escapes
	for name, url := range map[string]string{
		"nobody answers":    "postgres://anna:" + password + "@127.0.0.1:1/faces",
		"no database":       "postgres://anna:" + password + "@127.0.0.1:1",
		"an unknown option": "postgres://anna:" + password + "@127.0.0.1:1/faces?sslmode=perhaps",
		"a bad port":        "postgres://anna:" + password + "@127.0.0.1:port/faces",
		"a bad escape":      "postgres://anna:" + password + "%@127.0.0.1/faces",
		"a bad host":        "postgres://anna:" + password + "@[::1/faces",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			cfg.Store = url
			var log bytes.Buffer
			_, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				t.Fatal("the server was opened")
			}
			if text := err.Error() + log.String(); strings.Contains(text, "sesame") {
				t.Errorf("the password is in: %s", text)
			}
		})
	}
}

// TestTwoServersOnPostgres have the same root key and the same collections.
func TestTwoServersOnPostgres(t *testing.T) {
	database := postgrestest.Start(t)
	cfg := config(t)
	cfg.Store = database.NewDatabase(t)
	t.Setenv(iam.RootAccessKeyIDEnv, "")
	t.Setenv(iam.RootSecretAccessKeyEnv, "")
	one, _ := startOn(t, cfg, io.Discard)
	key, err := os.ReadFile(one.Credentials)
	if err != nil {
		t.Fatal(err)
	}

	// The other has another data folder, without the master key at first.
	cfg.Data = filepath.Join(t.TempDir(), "other")
	if _, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); !errors.Is(err,
		iam.ErrOtherMasterKey) {
		t.Errorf("a server without the master key: %v", err)
	}
	masterKey, err := os.ReadFile(filepath.Join(filepath.Dir(one.Credentials), iam.MasterKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(iam.MasterKeyEnv, string(masterKey))
	two, _ := startOn(t, cfg, io.Discard)
	if other, err := os.ReadFile(two.Credentials); err != nil || !bytes.Equal(key, other) {
		t.Errorf("the servers have different root keys, %v", err)
	}
	var clients []*rekognition.Client
	for _, a := range []*App{one, two} {
		loaded, err := awsconfig.LoadDefaultConfig(t.Context(),
			awsconfig.WithSharedCredentialsFiles([]string{a.Credentials}),
			awsconfig.WithSharedConfigFiles(nil), awsconfig.WithRegion("us-east-1"))
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, rekognition.NewFromConfig(loaded,
			func(o *rekognition.Options) { o.BaseEndpoint = aws.String(a.URL) }))
	}
	if _, err := clients[0].CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	// A page's token of one server is good at the other.
	if _, err := clients[1].CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("places")}); err != nil {
		t.Fatal(err)
	}
	first, err := clients[0].ListCollections(t.Context(),
		&rekognition.ListCollectionsInput{MaxResults: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	second, err := clients[1].ListCollections(t.Context(),
		&rekognition.ListCollectionsInput{MaxResults: aws.Int32(1), NextToken: first.NextToken})
	if err != nil || first.CollectionIds[0] != "people" || second.CollectionIds[0] != "places" {
		t.Errorf("two pages: %v, %v, %v", first.CollectionIds, second, err)
	}
}
