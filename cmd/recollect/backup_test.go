package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// recollectProgram runs a command of the program and returns what it printed.
func recollectProgram(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// startServer serves a data folder, as the program does, and sets the environment of clients.
func startServer(t *testing.T, data string, settings ...func(*serveConfig)) (stop func()) {
	t.Helper()
	library := filepath.Join("..", "..", "lib", "recollect")
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	cfg := serveConfig{Listen: "127.0.0.1:0", Data: data, Library: library,
		Regions: []string{"us-east-1"}, Account: "123456789012"}
	for _, set := range settings {
		set(&cfg)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	read, write := io.Pipe()
	served := make(chan error, 1)
	go func() {
		err := serve(ctx, cfg, write, io.Discard)
		write.CloseWithError(err)
		served <- err
	}()
	b := make([]byte, 4<<10)
	n, err := read.Read(b)
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(string(b[:n]))
	if err != nil || url == "" {
		t.Fatalf("the server does not start: %v", err)
	}
	go io.Copy(io.Discard, read)
	t.Setenv("AWS_ENDPOINT_URL_REKOGNITION", url)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(data, "credentials"))
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_PROFILE", "default")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func newClient(t *testing.T) *rekognition.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rekognition.NewFromConfig(cfg)
}

// TestMovingOutAndIn exports a collection of real faces, deletes and imports it, backs the server
// up and restores it, and searches after each step.
func TestMovingOutAndIn(t *testing.T) {
	picture, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "group",
		"dlib_1.jpg"))
	if err != nil {
		pictures, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "group",
			"dlib_*.jpg"))
		if len(pictures) == 0 {
			t.Skip("the pictures of ../shared/data are not here")
		}
		if picture, err = os.ReadFile(pictures[0]); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	stop := startServer(t, data)
	api := newClient(t)
	if _, err := api.CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	indexed, err := api.IndexFaces(t.Context(),
		&rekognition.IndexFacesInput{CollectionId: aws.String("people"),
			Image: &types.Image{Bytes: picture}})
	if err != nil || len(indexed.FaceRecords) < 2 {
		t.Fatalf("%v faces, %v", indexed, err)
	}
	f := indexed.FaceRecords[0].Face.FaceId
	found := func(what, collection string) {
		t.Helper()
		answer, err := newClient(t).SearchFacesByImage(t.Context(),
			&rekognition.SearchFacesByImageInput{CollectionId: &collection,
				Image: &types.Image{Bytes: picture}})
		if err != nil || len(answer.FaceMatches) == 0 || *answer.FaceMatches[0].Face.FaceId != *f ||
			*answer.FaceMatches[0].Similarity < 99.9 {
			t.Errorf("%s: the face is not found: %v", what, err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := recollectProgram(t, args...); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if _, err := recollectProgram(t, args...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
	found("before", "people")
	exported, backup := filepath.Join(dir, "people.zip"), filepath.Join(dir, "backup.zip")
	run("export", "people", exported)
	refused("there already", "export", "people", exported)
	refused("ResourceAlreadyExistsException", "import-archive", exported)
	refused("ResourceNotFoundException", "export", "absent", filepath.Join(dir, "absent.zip"))
	if _, err := api.DeleteCollection(t.Context(),
		&rekognition.DeleteCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	run("import-archive", exported)
	found("imported", "people")
	run("import-archive", exported, "--collection", "again")
	found("imported under another name", "again")

	key := filepath.Join(dir, "anna.credentials")
	run("keys", "create", "anna", "--policy", "administrator", "--out", key, "--data", data)
	run("backup", backup)
	run("backup", filepath.Join(dir, "folder.zip"), "--data", data)
	refused("cannot be used", "import-archive", backup)
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.zip")
	if err := os.WriteFile(cut, whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(dir, "restored")
	refused("cut short", "restore", cut, "--data", restored)
	refused("not empty", "restore", backup, "--data", data)
	run("restore", backup, "--data", restored)
	run("restore", filepath.Join(dir, "folder.zip"), "--data", filepath.Join(dir, "restored2"))
	stop()
	startServer(t, restored)
	found("restored", "people")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", key)
	found("restored, with a user's key", "again")
	shown, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`AKIA\w+`).FindString(string(shown))
	run("keys", "disable", id, "--data", restored)
	time.Sleep(1100 * time.Millisecond) // the server's cache expires within a second
	refused("UnrecognizedClientException", "export", "people", filepath.Join(dir, "disabled.zip"))
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("commands left %v behind", left)
	}
}
