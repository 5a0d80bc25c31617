package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/api/admin"
	apirekognition "github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// needNetworks skips the test if the networks are not installed.
func needNetworks(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
}

// startOn runs a server until the test ends, and returns it with a client of its root key.
func startOn(t *testing.T, cfg Config, log io.Writer) (*App, *rekognition.Client) {
	t.Helper()
	needNetworks(t)
	a, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	run(t, a)
	return a, rekognition.New(rekognition.Options{Region: "us-east-1",
		BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDAKIDAKIDAKIDAKID",
			strings.Repeat("s", 40), "")})
}

// run runs a server until the test ends.
func run(t *testing.T, a *App) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
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

// TestServersStartTogether: servers that start at one moment on an empty database, with the master
// key in a file, have one root key and read each other's pagination tokens. One with another master
// key does not start.
func TestServersStartTogether(t *testing.T) {
	needNetworks(t)
	database := postgrestest.Start(t)
	cfg := config(t)
	cfg.Store = database.NewDatabase(t)
	cfg.MasterKeyFile = filepath.Join(t.TempDir(), "key")
	t.Setenv(iam.RootAccessKeyIDEnv, "")
	t.Setenv(iam.RootSecretAccessKeyEnv, "")
	write := func(letter string) {
		t.Helper()
		if err := os.WriteFile(cfg.MasterKeyFile, []byte("recollect-master-key-1:"+
			strings.Repeat(letter, 43)+"="), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("A")
	servers := make([]*App, 3)
	var starting sync.WaitGroup
	for i := range servers {
		cfg := cfg
		cfg.Data = t.TempDir()
		starting.Go(func() {
			a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = a
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, a := range servers {
		run(t, a)
	}
	var token *string
	var keys []string
	for _, a := range servers {
		key, err := os.ReadFile(a.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(key))
		client := clientOf(t, a)
		if token == nil {
			for _, id := range []string{"people", "places"} {
				if _, err := client.CreateCollection(t.Context(),
					&rekognition.CreateCollectionInput{CollectionId: &id}); err != nil {
					t.Fatal(err)
				}
			}
			first, err := client.ListCollections(t.Context(),
				&rekognition.ListCollectionsInput{MaxResults: aws.Int32(1)})
			if err != nil {
				t.Fatal(err)
			}
			token = first.NextToken
		}
		second, err := client.ListCollections(t.Context(),
			&rekognition.ListCollectionsInput{MaxResults: aws.Int32(1), NextToken: token})
		if err != nil || len(second.CollectionIds) != 1 || second.CollectionIds[0] != "places" {
			t.Errorf("the second page: %v, %v", second, err)
		}
	}
	if keys[0] == "" || keys[1] != keys[0] || keys[2] != keys[0] {
		t.Error("the servers have different root keys")
	}
	if n := postgrestest.Number(t, cfg.Store,
		"SELECT count(*) FROM recollect.iam_root_keys"); n != 1 {
		t.Errorf("the database has %d root keys", n)
	}

	write("B")
	_, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if !errors.Is(err, iam.ErrOtherMasterKey) || !strings.Contains(err.Error(), cfg.MasterKeyFile) {
		t.Errorf("a server with another master key: %v", err)
	}
}

// clientOf is a client with the root key in a server's data folder.
func clientOf(t *testing.T, a *App) *rekognition.Client {
	t.Helper()
	loaded, err := awsconfig.LoadDefaultConfig(t.Context(),
		awsconfig.WithSharedCredentialsFiles([]string{a.Credentials}),
		awsconfig.WithSharedConfigFiles(nil), awsconfig.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return rekognition.NewFromConfig(loaded,
		func(o *rekognition.Options) { o.BaseEndpoint = aws.String(a.URL) })
}

// TestClusterOfServers: each server sees all of them, and what they hold; their metrics say how they
// follow the database.
func TestClusterOfServers(t *testing.T) {
	database := postgrestest.Start(t)
	cfg := config(t)
	cfg.Store = database.NewDatabase(t)
	t.Setenv(iam.MasterKeyEnv, "recollect-master-key-1:"+strings.Repeat("A", 43)+"=")
	var servers []*App
	var clients []*rekognition.Client
	for range 2 {
		cfg.Data = t.TempDir()
		a, client := startOn(t, cfg, io.Discard)
		servers, clients = append(servers, a), append(clients, client)
	}
	picture := types.Image{Bytes: portrait(t)}
	if _, err := clients[0].CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	search := func(c *rekognition.Client) {
		t.Helper()
		found, err := c.SearchFacesByImage(t.Context(), &rekognition.SearchFacesByImageInput{
			CollectionId: aws.String("people"), Image: &picture})
		if err != nil || len(found.FaceMatches) != 1 {
			t.Errorf("the search finds %v, %v", found, err)
		}
	}
	index := func() {
		t.Helper()
		if _, err := clients[0].IndexFaces(t.Context(), &rekognition.IndexFacesInput{
			CollectionId: aws.String("people"), Image: &picture}); err != nil {
			t.Fatal(err)
		}
	}
	index()
	for _, c := range clients {
		search(c)
	}
	waitFor(t, "a heartbeat of both with a vector", func() bool {
		nodes := nodesOf(t, servers[1])
		vectors := 0
		for _, n := range nodes {
			if n.Alive && n.Version == cfg.Version {
				vectors += int(n.Vectors)
			}
		}
		return len(nodes) == 2 && vectors == 2
	})
	for _, n := range nodesOf(t, servers[1]) {
		if n.Answering != (n.Address == servers[1].URL) {
			t.Errorf("a server is wrong about which it is: %+v", n)
		}
	}
	metrics := metricsOf(t, servers[0])
	documented, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(recollect_\\w+)`").FindAllStringSubmatch(
		string(documented), -1) {
		found := false
		for metric := range metrics {
			found = found || strings.HasPrefix(metric, name[1])
		}
		if !found {
			t.Errorf("the document names %s, which no server shows", name[1])
		}
	}
	for name, least := range map[string]float64{
		`recollect_index_pulls_total{index="faces"}`:                1,
		`recollect_index_pulled_vectors_total{index="faces"}`:       0,
		`recollect_index_reloads_total{index="users"}`:              0,
		`recollect_index_lag_vectors{index="faces"}`:                0,
		`recollect_index_compared_timestamp_seconds{index="users"}`: 1.7e9,
		`recollect_commit_changes_sum`:                              1,
		`recollect_commit_changes_count`:                            1,
		`recollect_commit_changes_bucket{le="1"}`:                   1,
	} {
		if value, ok := metrics[name]; !ok || value < least {
			t.Errorf("%s is %v, %v; want %v at least", name, value, ok, least)
		}
	}
}

// portrait is a picture of one face.
func portrait(t *testing.T) []byte {
	t.Helper()
	picture, err := os.ReadFile("../engine/reference/pictures/hopper.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// nodesOf are the servers that a server knows.
func nodesOf(t *testing.T, a *App) []admin.ClusterNode {
	t.Helper()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		a.URL+"/recollect/v1/cluster", http.NoBody)
	if err == nil {
		err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{
			AccessKeyID: "AKIDAKIDAKIDAKIDAKID", SecretAccessKey: strings.Repeat("s", 40)}, r,
			empty, "rekognition", "us-east-1", time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var status admin.ClusterStatus
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil || !status.Shared {
		t.Fatalf("%s: %+v, %v", answer.Status, status, err)
	}
	return status.Nodes
}

// metricsOf reads a server's metrics, by name and labels.
func metricsOf(t *testing.T, a *App) map[string]float64 {
	t.Helper()
	answer, err := http.Get(a.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	metrics := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			metrics[name] = value
		}
	}
	return metrics
}

// TestRatesOfServers: calls of an account are counted for all servers together.
func TestRatesOfServers(t *testing.T) {
	database := postgrestest.Start(t)
	cfg := config(t)
	cfg.Store = database.NewDatabase(t)
	const burst = 20
	cfg.Rates = apirekognition.Rates{Operations: map[string]apirekognition.Rate{
		"ListCollections": {PerSecond: 1e-6, Burst: burst}}}
	t.Setenv(iam.MasterKeyEnv, "recollect-master-key-1:"+strings.Repeat("A", 43)+"=")
	var calling sync.WaitGroup
	var allowed, rejected atomic.Int64
	for range 2 {
		cfg.Data = t.TempDir()
		_, client := startOn(t, cfg, io.Discard)
		for range 4 {
			calling.Go(func() {
				for range 5 {
					_, err := client.ListCollections(t.Context(),
						&rekognition.ListCollectionsInput{})
					if _, over := errors.AsType[*types.ProvisionedThroughputExceededException](
						err); over {
						rejected.Add(1)
					} else if err != nil {
						t.Error(err)
					} else {
						allowed.Add(1)
					}
				}
			})
		}
	}
	calling.Wait()
	if allowed.Load() != burst || rejected.Load() != 20 {
		t.Errorf("%d calls were allowed and %d rejected, want %d and 20", allowed.Load(),
			rejected.Load(), burst)
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
		clients = append(clients, clientOf(t, a))
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
