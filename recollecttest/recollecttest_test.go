package recollecttest_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/recollecttest"
)

// pictures is LFW's folder.
const pictures = "../../shared/data/lfw/images"

func need(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("../lib/recollect"); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	if _, err := os.Stat(pictures); err != nil {
		t.Skipf("there are no pictures: %v", err)
	}
	// The program is built from the source, and one of the machine is not meant.
	t.Setenv("RECOLLECT_PROGRAM", "")
	t.Setenv("PATH", without(t, "recollect"))
}

// without is PATH without the folders that have a program.
func without(t *testing.T, program string) string {
	t.Helper()
	var left []string
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			left = append(left, folder)
		}
	}
	return strings.Join(left, string(filepath.ListSeparator))
}

// client is what any program of a user makes.
func client(t *testing.T) *rekognition.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rekognition.NewFromConfig(cfg)
}

// index indexes two pictures of a person in a new collection, and returns the faces' ids.
func index(t *testing.T, c *rekognition.Client) (ids []string) {
	t.Helper()
	if _, err := c.CreateCollection(t.Context(), &rekognition.CreateCollectionInput{
		CollectionId: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Aaron_Peirsol_0001.jpg", "Aaron_Peirsol_0002.jpg"} {
		picture, err := os.ReadFile(filepath.Join(pictures, "Aaron_Peirsol", name))
		if err != nil {
			t.Fatal(err)
		}
		done, err := c.IndexFaces(t.Context(), &rekognition.IndexFacesInput{
			CollectionId: aws.String("people"), MaxFaces: aws.Int32(1),
			Image: &types.Image{Bytes: picture}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, *done.FaceRecords[0].Face.FaceId)
	}
	return ids
}

// TestStart: a client of the AWS SDK with its default settings uses the server; ids repeat with the
// seed; and nothing is left of a server after its test.
func TestStart(t *testing.T) {
	need(t)
	var all [][]string
	var last *recollecttest.Server
	for _, seed := range []uint64{7, 7, 8} {
		t.Run("server", func(t *testing.T) {
			last = recollecttest.Start(t, recollecttest.Seed(seed))
			last.Setenv(t)
			all = append(all, index(t, client(t)))
		})
		if _, err := os.Stat(last.Data); !os.IsNotExist(err) {
			t.Errorf("the data is left: %v", err)
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, last.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			t.Error("the server is left")
		}
	}
	if !slices.Equal(all[0], all[1]) || slices.Equal(all[0], all[2]) {
		t.Errorf("the ids are %v", all)
	}
}

// failing is a test that fails, as a user's would.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.said = err.Error()
		}
	}
	panic(f)
}

// TestStartFails: the test says what the server wrote.
func TestStartFails(t *testing.T) {
	need(t)
	for _, c := range []struct {
		want string
		with recollecttest.Option
	}{
		{"unknown flag: --nonsense", recollecttest.Flags("--nonsense")},
		{"no such file", recollecttest.Program(filepath.Join(t.TempDir(), "recollect"))},
		{"RECOLLECT_LIBRARY", recollecttest.Library(filepath.Join(t.TempDir(), "none"))},
	} {
		f := &failing{TB: t}
		func() {
			defer func() {
				if recover() != any(f) {
					t.Errorf("want %s", c.want)
				}
			}()
			recollecttest.Start(f, c.with)
		}()
		if !strings.Contains(f.said, c.want) {
			t.Errorf("said %q, want %q", f.said, c.want)
		}
	}
}
