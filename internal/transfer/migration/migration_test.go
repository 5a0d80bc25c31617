package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/client/bulk"
	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

const model = enginetest.Engine("2.0")

// pictures is a source: contents by path.
type pictures map[string][]byte

func (p pictures) List(context.Context) (all []bulk.Picture, err error) {
	for path := range p {
		picture := bulk.Picture{Path: path}
		if !strings.HasSuffix(path, ".jpg") {
			picture.Skip = "no picture"
		}
		all = append(all, picture)
	}
	slices.SortFunc(all, func(a, b bulk.Picture) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func (p pictures) Read(ctx context.Context, picture bulk.Picture) ([]byte, error) {
	if picture.Skip != "" {
		return nil, errors.New("what is no picture was read")
	}
	return p[picture.Path], ctx.Err()
}

func onePerson(person int) []byte {
	return enginetest.Picture(enginetest.Face{Person: person, Size: 0.5})
}

// faceOf is the collection's face of a picture, with the box that the engine gives.
func faceOf(id, externalID string, picture []byte) archive.Face {
	f := archive.Face{FaceId: id, ExternalImageId: externalID,
		ImageId: face.ImageIDs(picture)(externalID), Confidence: 50}
	f.BoundingBox.Left, f.BoundingBox.Top, f.BoundingBox.Width, f.BoundingBox.Height = 0.25, -0.12,
		0.5, 0.5
	return f
}

func journal(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(dir, "people", model.Version(), enginetest.Dimension)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func checkFace(t *testing.T, j *Journal, id string, person int) {
	t.Helper()
	got, err := j.Face(id)
	if err != nil {
		t.Error(err)
		return
	}
	if want := enginetest.Vector(enginetest.Face{Person: person,
		Size: 0.5}); !slices.Equal(got.Vector, want) || got.BoundingBox.Width != 0.5 ||
		got.Confidence < 99 {
		t.Errorf("face %s is %+v, want person %d", id, got, person)
	}
}

func TestRun(t *testing.T) {
	moved := faceOf("moved", "moved.jpg", onePerson(4))
	moved.BoundingBox.Left = 0.9
	faces := []archive.Face{
		faceOf("path", "a:1.jpg", onePerson(1)),
		faceOf("own", "employee-17", onePerson(2)), // an external id that no path tells
		faceOf("none", "", onePerson(2)),           // the same picture without one
		// a picture of that name that is not the same any more
		faceOf("changed", "a:3.jpg", onePerson(300)),
		moved, // elsewhere in the picture than what is seen
		faceOf("gone", "gone.jpg", onePerson(5)),
		faceOf("broken", "broken.jpg", []byte("no picture")),
	}
	source := pictures{
		"a/1.jpg": onePerson(1), "b/other.jpg": onePerson(2), "a/3.jpg": onePerson(3),
		"moved.jpg": onePerson(4), "broken.jpg": []byte("no picture"),
		"strange.jpg": onePerson(9), "notes.txt": []byte("gone.jpg"),
	}
	dir := t.TempDir()
	j := journal(t, dir)
	begun, steps := 0, 0
	faults, err := Run(t.Context(),
		Config{Engine: model, Source: source, Faces: faces, Journal: j,
			Begin: func(n int) { begun = n }, Step: func() { steps++ }})
	if err != nil {
		t.Fatal(err)
	}
	if begun != 6 || steps != 6 {
		t.Errorf("began with %d pictures and did %d, want 6", begun, steps)
	}
	for id, person := range map[string]int{"path": 1, "own": 2, "none": 2, "changed": 3} {
		checkFace(t, j, id, person)
	}
	for _, id := range []string{"moved", "gone", "broken"} {
		if j.Has(id) {
			t.Errorf("face %s was found", id)
		}
	}
	if len(faults) != 2 || faults[0].Picture != "broken.jpg" ||
		recollect.CodeOf(faults[0].Err) != recollect.CodeInvalidImageFormat ||
		faults[1].Picture != "moved.jpg" {
		t.Errorf("the faults are %v", faults)
	}

	// Another run looks at nothing that is done, and finds what came.
	source["new/gone.jpg"] = onePerson(5)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = journal(t, dir)
	if _, err := Run(t.Context(),
		Config{Engine: countingEngine{t, 3}, Source: source, Faces: faces,
			Journal: j}); err != nil {
		t.Fatal(err)
	}
	checkFace(t, j, "path", 1)
	checkFace(t, j, "gone", 5)
}

// countingEngine fails the test if it looks at more pictures than expected: here the two that
// cannot be used, and a new one.
type countingEngine struct {
	t    *testing.T
	most int
}

func (e countingEngine) Version() string              { return model.Version() }
func (e countingEngine) Similarity(c float32) float32 { return model.Similarity(c) }
func (e countingEngine) Cosine(s float32) float32     { return model.Cosine(s) }
func (e countingEngine) Detect(ctx context.Context, picture []byte,
	want face.Attributes) (face.Photo, error) {
	for _, person := range []int{1, 2, 3, 9} {
		if bytes.Equal(picture, onePerson(person)) {
			e.t.Errorf("the picture of person %d was looked at again", person)
		}
	}
	return model.Detect(ctx, picture, want)
}

// An interrupted run keeps what it did, and the next one has the rest.
func TestRunInterrupted(t *testing.T) {
	source, dir := pictures{}, t.TempDir()
	var faces []archive.Face
	const n = 200
	for i := range n {
		path := fmt.Sprintf("%03d.jpg", i)
		source[path] = onePerson(i)
		faces = append(faces, faceOf(path, path, source[path]))
	}
	for round := 0; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		j := journal(t, dir)
		steps := 0
		_, err := Run(ctx,
			Config{Engine: model, Source: source, Faces: faces, Journal: j, Step: func() {
				if steps++; steps == 60*(round+1) {
					cancel()
				}
			}})
		cancel()
		if err == nil {
			if round < 2 {
				t.Errorf("all was done in round %d", round)
			}
			for i, f := range faces {
				checkFace(t, j, f.FaceId, i)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || round > 10 {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPairUp(t *testing.T) {
	boxAt := func(left float32) recollect.BoundingBox {
		return recollect.BoundingBox{Left: left, Width: 0.1, Height: 0.1}
	}
	faceAt := func(left float32) (f archive.Face) {
		f.BoundingBox.Left, f.BoundingBox.Width, f.BoundingBox.Height = left, 0.1, 0.1
		return f
	}
	seen := []face.FaceDetail{{BoundingBox: boxAt(0.5)}, {BoundingBox: boxAt(0.1)},
		{BoundingBox: boxAt(0.14)}, {BoundingBox: boxAt(0.9)}}
	got := pairUp([]archive.Face{faceAt(0.12), faceAt(0.11), faceAt(0.51), faceAt(0.3)}, seen, 0.3)
	slices.SortFunc(got, func(a, b pair) int { return a.face - b.face })
	if want := []pair{{0, 2}, {1, 1}, {2, 0}}; !slices.Equal(got, want) {
		t.Errorf("paired %v, want %v", got, want)
	}
}

// The archive has the new vectors, users of what faces they have then, and what is known of both as
// it was.
func TestWrite(t *testing.T) {
	faces := []archive.Face{faceOf("f1", "1.jpg", onePerson(1)),
		faceOf("f2", "2.jpg", onePerson(2)), faceOf("lost", "3.jpg", onePerson(3))}
	faces[0].UserId, faces[1].UserId, faces[2].UserId = "anna", "anna", "bert"
	users := []archive.User{{UserId: "anna"}, {UserId: "bert"}, {UserId: "nobody"}}
	var old bytes.Buffer
	w, err := archive.NewWriter(&old,
		archive.Manifest{Format: archive.KindCollection, Collection: &archive.Collection{
			CollectionId: "people", FaceModelVersion: "1.0",
			Tags: map[string]string{"owner": "reception"}, Dimension: 2, FaceCount: 3,
			UserCount: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archive.WriteLines(w, archive.UsersName, each(users)),
		archive.WriteLines(w, archive.FacesName, each(faces)), w.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := archive.NewReader(t.Context(), bytes.NewReader(old.Bytes()), int64(old.Len()),
		archive.KindCollection)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := ReadFaces(before); err != nil || !slices.Equal(read, faces) {
		t.Fatalf("read %v, %v", read, err)
	}
	j := journal(t, t.TempDir())
	for i := 1; i <= 2; i++ {
		if err := j.add([]Found{{FaceID: fmt.Sprint("f", i),
			Vector: enginetest.Vector(enginetest.Face{Person: i}), Confidence: 77}}); err != nil {
			t.Fatal(err)
		}
	}
	var made bytes.Buffer
	if err := Write(&made, before, faces, j, "2.0", "test"); err != nil {
		t.Fatal(err)
	}
	after, err := archive.NewReader(t.Context(), bytes.NewReader(made.Bytes()), int64(made.Len()),
		archive.KindCollection)
	if err != nil {
		t.Fatal(err)
	}
	if c := after.Manifest.Collection; c.FaceModelVersion != "2.0" || c.FaceCount != 2 ||
		c.UserCount != 3 || c.Dimension != enginetest.Dimension || c.Tags["owner"] != "reception" {
		t.Errorf("the manifest says %+v", c)
	}
	written, err := ReadFaces(after)
	if err != nil || len(written) != 2 || written[1].FaceId != "f2" ||
		written[1].UserId != "anna" || written[1].Confidence != 77 ||
		written[1].ImageId != faces[1].ImageId {
		t.Errorf("the faces are %+v, %v", written, err)
	}
	file, err := after.Open(archive.UserVectorsName)
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := archive.NewVectorReader(file, archive.UserVectorsName, 3, enginetest.Dimension)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 0, 0} {
		v, err := vectors.Next()
		var squares float64
		for _, x := range v {
			squares += float64(x) * float64(x)
		}
		if err != nil || math.Abs(math.Sqrt(squares)-want) > 1e-5 {
			t.Errorf("the vector of user %d has the length %v, want %v: %v", i, math.Sqrt(squares),
				want, err)
		}
	}
	if _, err := vectors.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last vector: %v", err)
	}
}
