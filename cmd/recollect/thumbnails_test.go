package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

// runServer runs the command serve on a data folder. It sets the environment of clients, and
// returns a function that stops the server and returns its log.
func runServer(t *testing.T, data string, flags ...string) (stop func() (log string)) {
	t.Helper()
	library := filepath.Join("..", "..", "lib", "recollect")
	if _, err := os.Stat(library); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	read, write := io.Pipe()
	var log bytes.Buffer
	cmd := command()
	cmd.SetArgs(append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data,
		"--library", library}, flags...))
	cmd.SetOut(write)
	cmd.SetErr(&log)
	served := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(ctx)
		write.CloseWithError(err)
		served <- err
	}()
	stop = sync.OnceValue(func() string {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		return log.String()
	})
	t.Cleanup(func() { stop() })
	b := make([]byte, 4<<10)
	n, err := read.Read(b)
	address := regexp.MustCompile(`https?://[0-9.:]+`).FindString(string(b[:n]))
	if err != nil || address == "" {
		t.Fatalf("the server does not start: %v", err)
	}
	go io.Copy(io.Discard, read)
	t.Setenv("AWS_ENDPOINT_URL_REKOGNITION", address)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(data, "credentials"))
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_PROFILE", "default")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return stop
}

// adminGet returns the answer of a route for operators, or the error that the server returned.
func adminGet(t *testing.T, path string, query url.Values) ([]byte, error) {
	t.Helper()
	body, err := new(client).call(t.Context(), http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	answer, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, nil
}

// thumbnailOf returns the thumbnail of a face, nil if the server has none.
func thumbnailOf(t *testing.T, faceID string) []byte {
	t.Helper()
	jpeg, err := adminGet(t, "thumbnail", url.Values{"collection": {"people"}, "face": {faceID}})
	if err != nil && !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Fatal(err)
	}
	return jpeg
}

// thumbnailsInOverview returns the overview's state of thumbnails.
func thumbnailsInOverview(t *testing.T) string {
	t.Helper()
	answer, err := adminGet(t, "overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	var overview struct{ Thumbnails string }
	if err := json.Unmarshal(answer, &overview); err != nil {
		t.Fatal(err)
	}
	return overview.Thumbnails
}

// TestThumbnailsOutliveAStartWithoutThem starts a server with, without and again with thumbnails,
// and then one that deletes them.
func TestThumbnailsOutliveAStartWithoutThem(t *testing.T) {
	pictures, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "group",
		"dlib_*.jpg"))
	if len(pictures) < 2 {
		t.Skip("the pictures of ../shared/data are not here")
	}
	index := func(picture string) (faceIDs []string) {
		t.Helper()
		content, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := newClient(t).IndexFaces(t.Context(), &rekognition.IndexFacesInput{
			CollectionId: aws.String("people"), Image: &types.Image{Bytes: content}})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range answer.FaceRecords {
			faceIDs = append(faceIDs, *record.Face.FaceId)
		}
		if len(faceIDs) == 0 {
			t.Fatalf("no face of %s was indexed", picture)
		}
		return faceIDs
	}
	data := filepath.Join(t.TempDir(), "data")

	stop := runServer(t, data, "--thumbnails")
	if _, err := newClient(t).CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	faces := index(pictures[0])
	kept := thumbnailOf(t, faces[0])
	if kept == nil {
		t.Fatal("a server with --thumbnails serves none")
	}
	if got := thumbnailsInOverview(t); got != "shown" {
		t.Errorf("with --thumbnails the overview says %q", got)
	}
	stop()

	stop = runServer(t, data)
	if thumbnailOf(t, faces[0]) != nil {
		t.Error("a server without --thumbnails serves them")
	}
	if got := thumbnailsInOverview(t); got != "hidden" {
		t.Errorf("without --thumbnails the overview says %q", got)
	}
	later := index(pictures[1])
	if log := stop(); !strings.Contains(log, "--delete-thumbnails") {
		t.Errorf("the log does not say that thumbnails are kept, and what deletes them:\n%s", log)
	}

	stop = runServer(t, data, "--thumbnails")
	if got := thumbnailOf(t, faces[0]); !bytes.Equal(got, kept) {
		t.Errorf("a start without --thumbnails left %d of the thumbnail's %d bytes", len(got),
			len(kept))
	}
	if thumbnailOf(t, later[0]) != nil {
		t.Error("a server without --thumbnails made one")
	}
	stop()

	stop = runServer(t, data, "--delete-thumbnails")
	// The thumbnails must have been deleted from the file when the server has started, not when it
	// ends.
	piece := kept[len(kept)/2:][:64]
	for _, name := range []string{"recollect.db", "recollect.db-wal"} {
		content, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, piece) {
			t.Errorf("a deleted thumbnail is still in %s", name)
		}
	}
	if got := thumbnailsInOverview(t); got != "none" {
		t.Errorf("after --delete-thumbnails the overview says %q", got)
	}
	if log := stop(); !strings.Contains(log, fmt.Sprintf("deleted=%d\n", len(faces))) {
		t.Errorf("the log does not say that %d thumbnails were deleted:\n%s", len(faces), log)
	}

	stop = runServer(t, data, "--thumbnails")
	if thumbnailOf(t, faces[0]) != nil {
		t.Error("--delete-thumbnails left a thumbnail")
	}
	stop()
}

func TestThumbnailsAreNotBothMadeAndDeleted(t *testing.T) {
	_, err := recollectProgram(t, "serve", "--data", t.TempDir(), "--thumbnails",
		"--delete-thumbnails")
	if err == nil || !strings.Contains(err.Error(),
		"--thumbnails and --delete-thumbnails exclude each other") {
		t.Errorf("%v", err)
	}
}
