package admin_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// fill makes a collection with faces, of which the first three belong to two users, a third user
// without faces, and tags.
func (d *door) fill(t *testing.T, id string, faces int) face.Collection {
	t.Helper()
	c, err := d.store.CreateCollection(t.Context(),
		face.Collection{Realm: home, ID: id, FaceModelVersion: "1.0",
			CreatedAt: time.UnixMilli(1700000000123).UTC()},
		map[string]string{"team": "a", "empty": ""}, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]face.Face, faces)
	for i := range all {
		sin, cos := math.Sincos(float64(i))
		all[i] = face.Face{ID: uuid.NewString(), ImageID: uuid.NewString(),
			ExternalImageID: fmt.Sprintf("picture:%d.jpg", i%2*i),
			BoundingBox: recollect.BoundingBox{Left: .1, Top: -.01, Width: .333333,
				Height: float32(i) / 1000}, Confidence: 99.87654,
			Vector: []float32{float32(sin), float32(cos), 0, 0}}
		if i%5 == 0 {
			all[i].ExternalImageID = ""
		}
	}
	stored, _, err := d.store.AddFaces(t.Context(), c.Key, all, int64(faces))
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range []struct {
		id      string
		members []face.Face
	}{{"bert", stored[:2]}, {"anna", stored[2:3]}, {"nobody", nil}} {
		err := d.store.CreateUser(t.Context(), c.Key,
			face.User{ID: user.id, SystemID: uuid.NewString(),
				CreatedAt: time.UnixMilli(1700000000000 + int64(i)).UTC()}, recollect.Once{}, 10)
		if err != nil || len(user.members) == 0 {
			continue
		}
		_, _, err = d.store.ChangeUser(t.Context(), c.Key, user.id, nil, recollect.Once{},
			func(face.UserState) (face.UserChange, error) {
				change := face.UserChange{Vector: user.members[0].Vector}
				for _, f := range user.members {
					change.Add = append(change.Add, f.Key)
				}
				return change, nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err = d.store.Collection(t.Context(), home, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contents is all of a collection but its keys, as text.
func contents(t *testing.T, store *sqlite.Store, realm recollect.Realm, id string) string {
	t.Helper()
	var b strings.Builder
	err := store.View(t.Context(), realm, id, func(v transfer.View) error {
		c := v.Collection()
		fmt.Fprintln(&b, c.FaceModelVersion, c.CreatedAt, c.FaceCount, c.UserCount, v.Tags())
		return errors.Join(
			v.Users(t.Context(), func(u face.User) error {
				u.Key = 0
				fmt.Fprintf(&b, "%+v\n", u)
				return nil
			}),
			v.Faces(t.Context(), func(f face.Face) error {
				f.Key = 0
				fmt.Fprintf(&b, "%+v\n", f)
				return nil
			}))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestACollectionMovesOutAndIn(t *testing.T) {
	d := open(t)
	for _, faces := range []int{0, 3, 700} { // none, one batch, several
		id := fmt.Sprint("people", faces)
		if faces > 0 {
			d.fill(t, id, faces)
		} else if _,
			err := d.store.CreateCollection(t.Context(),
			face.Collection{Realm: home, ID: id, FaceModelVersion: "1.0"}, nil, 0); err != nil {
			t.Fatal(err)
		}
		status, packed := d.send(t, d.root, "GET", "export?collection="+id, nil)
		if status != 200 {
			t.Fatalf("export: %d %s", status, packed)
		}
		d.refused(t, "ResourceAlreadyExistsException", d.root, "POST", "import?collection="+id,
			packed)
		if status, answer := d.send(t, d.root, "POST", "import?collection=copy"+id,
			packed); status != 200 ||
			!strings.Contains(string(answer), fmt.Sprintf(`"FaceCount":%d`, faces)) {
			t.Fatalf("import: %d %s", status, answer)
		}
		was, is := contents(t, d.store, home, id), contents(t, d.store, home, "copy"+id)
		if was != is || faces > 0 && !strings.Contains(was, "picture:1.jpg") {
			t.Errorf("%d faces: there was\n%.3000s\nand is\n%.3000s", faces, was, is)
		}
	}
	if !strings.Contains(d.log.String(), "path=export") ||
		!strings.Contains(d.log.String(), "collection=people700") ||
		!strings.Contains(d.log.String(), d.root.Principal.ARN) {
		t.Error("who exported what is not in the log")
	}
	d.refused(t, "ResourceNotFoundException", d.root, "GET", "export?collection=absent", nil)
	for _, policy := range []string{"full-access", "read-only"} {
		d.refused(t, "AccessDeniedException", d.user(t, account, policy, policy), "GET",
			"export?collection=people3", nil)
	}
	d.nothingLeft(t)
}

// nothingLeft wants neither scratch space nor a hidden collection.
func (d *door) nothingLeft(t *testing.T) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(d.dir, ".archive-*")); len(left) > 0 {
		t.Errorf("scratch space is left: %v", left)
	}
	hidden, err := d.store.Collections(t.Context(), recollect.Realm{Region: "us-east-1"}, "", 10)
	if err != nil || len(hidden) > 0 {
		t.Errorf("hidden collections are left: %v, %v", hidden, err)
	}
}

// change repacks an archive with some of its files changed, and its checksums made anew.
func change(t *testing.T, packed []byte, files map[string]func([]byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	contents := make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if contents[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, edit := range files {
		was := contents[name]
		if contents[name] = edit(bytes.Clone(was)); bytes.Equal(was, contents[name]) {
			t.Fatalf("%s did not change", name)
		}
	}
	var m archive.Manifest
	if err := json.Unmarshal(contents["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		if name == "manifest.json" || name == "SHA256SUMS" {
			continue
		}
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(contents[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
}

func TestAnArchiveThatIsRefused(t *testing.T) {
	d := open(t)
	d.fill(t, "people", 300)
	_, packed := d.send(t, d.root, "GET", "export?collection=people", nil)
	import_ := func(name, exception, message string, body []byte, change ...func(*http.Request)) {
		t.Helper()
		status, answer := d.send(t, d.root, "POST", "import?collection=copy", body, change...)
		if status < 400 || !strings.Contains(string(answer), `"`+exception+`"`) ||
			!strings.Contains(string(answer), message) {
			t.Errorf("%s: %d %s, want %s with %q", name, status, answer, exception, message)
		}
	}
	const invalid = "InvalidParameterException"
	for _, length := range []int{1, 100, len(packed) / 2, len(packed) - 1} {
		import_(fmt.Sprint("cut to ", length), invalid, "archive", packed[:length])
	}
	for at := 0; at < len(packed); at += len(packed)/40 + 1 {
		flipped := bytes.Clone(packed)
		flipped[at] ^= 0x10
		if status, answer := d.send(t, d.root, "POST", "import?collection=copy",
			flipped); status == 200 {
			// A bit that means nothing, such as a time in the zip's directory: then it is what was
			// exported.
			if contents(t, d.store, home, "people") != contents(t, d.store, home, "copy") {
				t.Errorf("with bit %d.4 flipped: %s", at, answer)
			}
			if _, err := d.store.DeleteCollection(t.Context(), home, "copy"); err != nil {
				t.Fatal(err)
			}
		}
	}
	import_("a body that was not signed", invalid, "signed", packed, func(r *http.Request) {
		r.Body = io.NopCloser(bytes.NewReader(make([]byte, len(packed))))
	})
	edited := func(name, exception, message, file string, edit func([]byte) []byte) {
		t.Helper()
		import_(name, exception, message,
			change(t, packed, map[string]func([]byte) []byte{file: edit}))
	}
	edited("another model", invalid, "2.0", "manifest.json",
		replace(`"FaceModelVersion":"1.0"`, `"FaceModelVersion":"2.0"`))
	edited("another dimension", invalid, "numbers", "manifest.json",
		replace(`"Dimension":4`, `"Dimension":8`))
	edited("more faces than there are", invalid, "faces.npy", "manifest.json",
		replace(`"FaceCount":300`, `"FaceCount":301`))
	edited("too many faces", "ServiceQuotaExceededException", "", "manifest.json",
		replace(`"FaceCount":300`, `"FaceCount":20000001`))
	edited("a line less", invalid, "same length", "faces.jsonl",
		func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] })
	edited("a line that is none", invalid, "line 1 of faces.jsonl", "faces.jsonl",
		replace(`{"FaceId"`, `["FaceId"`))
	edited("a face twice", "ConflictException", "twice", "faces.jsonl", func(b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		lines[299] = lines[0]
		return bytes.Join(lines, nil)
	})
	edited("an unknown user", invalid, "not there", "faces.jsonl",
		replace(`"UserId":"bert"`, `"UserId":"carl"`))
	edited("an external id that cannot be", invalid, "externalImageId", "faces.jsonl",
		replace(`picture:1.jpg`, `picture 1.jpg`))
	edited("a user without its face", invalid, "no faces", "faces.jsonl",
		replace(`,"UserId":"anna"`, ``))
	edited("a vector that is too long", invalid, "length", "faces.npy", func(b []byte) []byte {
		copy(b[len(b)-16:], "\x00\x00\x80\x3f\x00\x00\x80\x3f")
		return b
	})
	edited("a vector that is no number", invalid, "length", "faces.npy", func(b []byte) []byte {
		copy(b[len(b)-16:], "\x00\x00\xc0\x7f")
		return b
	})
	edited("a tag too long", invalid, "tags", "manifest.json",
		replace(`"team":"a"`, `"team":"`+strings.Repeat("a", 257)+`"`))
	edited("a backup", invalid, "not a recollect-collection", "manifest.json",
		replace("recollect-collection", "recollect-backup"))
	if _, err := d.store.Collection(t.Context(), home,
		"copy"); recollect.CodeOf(err) != recollect.CodeNotFound {
		t.Errorf("a refused archive left a collection: %v", err)
	}
	d.nothingLeft(t)
}

func TestBackupAndRestore(t *testing.T) {
	d := open(t)
	c := d.fill(t, "people", 300)
	anna := d.user(t, account, "anna", "read-only")
	// Changes go on meanwhile.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				d.store.ChangeTags(t.Context(), c.Key, map[string]string{"n": fmt.Sprint(i)}, nil,
					50)
			}
		}
	}()
	status, packed := d.send(t, d.user(t, account, "operator", "administrator"), "GET", "backup",
		nil)
	close(stop)
	<-stopped
	if status != 200 {
		t.Fatalf("backup: %d %s", status, packed)
	}
	d.refused(t, "AccessDeniedException", d.user(t, "210987654321", "foreign", "administrator"),
		"GET", "backup", nil)
	if bytes.Contains(packed, []byte(d.root.Secret)) {
		t.Error("the root key is in the backup")
	}
	database := transfer.Database{Name: sqlite.DatabaseName, Check: sqlite.Check}
	file := filepath.Join(t.TempDir(), "backup.zip")
	write := func(b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(t.TempDir(), "data")
	for _, bad := range [][]byte{nil, packed[:100], packed[:len(packed)/2], packed[:len(packed)-1],
		change(t, packed,
			map[string]func(
				[]byte) []byte{sqlite.DatabaseName: func(b []byte) []byte {
				copy(b[8192:],
					make([]byte, 8192))
				return b
			}}),
		change(t, packed,
			map[string]func([]byte) []byte{iam.MasterKeyFile: replace("recollect", "somebody")}),
		bytes.Replace(packed, []byte("SQLite format"), []byte("SQLite farmat"), 1),
		bytes.Replace(packed, []byte(`"FormatVersion":1`), []byte(`"FormatVersion":2`), 1)} {
		write(bad)
		if _, err := transfer.Restore(t.Context(), file, folder, database); err == nil {
			t.Errorf("an archive of %d bytes that is damaged was restored", len(bad))
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) > 0 {
		t.Errorf("restores that failed left %v, %v", entries, err)
	}
	write(packed)
	if _, err := transfer.Restore(t.Context(), file, d.dir, database); err == nil {
		t.Error("a folder that is not empty was accepted")
	}
	if _, err := transfer.Restore(t.Context(), file, folder, database); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the restored folder: %v, %v", info.Mode(), err)
	}
	restored, err := sqlite.Open(t.Context(), folder, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	// without the tags, which went on changing
	_, was, _ := strings.Cut(contents(t, d.store, home, "people"), "\n")
	_, is, _ := strings.Cut(contents(t, restored, home, "people"), "\n")
	if was != is {
		t.Error("the restored collection differs")
	}
	sealer, err := iam.OpenSealer(folder)
	if err != nil {
		t.Fatal(err)
	}
	key, ok, err := iam.NewService(restored.Identities(), sealer,
		iam.AccessKey{}).AccessKey(t.Context(), anna.ID)
	if err != nil || !ok || key.Secret != anna.Secret {
		t.Errorf("a user's key after the restore: %v, %v", ok, err)
	}
	d.nothingLeft(t)
}

// An upload that is larger than any collection within the limits is refused, and what is read of it
// is bounded where its length is not known before.
func TestArchiveTooLarge(t *testing.T) {
	d := open(t, func(c *admin.Config) {
		c.Importer.(*transfer.Importer).Limits = face.Limits{FacesPerCollection: 700,
			UsersPerCollection: 3, TagsPerResource: 50}
	})
	d.fill(t, "people", 700)
	_, packed := d.send(t, d.root, "GET", "export?collection=people", nil)
	large := make([]byte, 8<<20)
	const full = "ServiceQuotaExceededException"
	d.refused(t, full, d.root, "POST", "import?collection=copy", large)
	d.refused(t, full, d.root, "POST", "import?collection=copy", nil, func(r *http.Request) {
		sum := sha256.Sum256(large)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(large)), -1
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
		d.sign(t, d.root, r, sum)
	})
	if status, answer := d.send(t, d.root, "POST", "import?collection=copy",
		packed); status != 200 {
		t.Errorf("a collection at the limit: %d %s", status, answer)
	}
	d.nothingLeft(t)
}

// TestFullDisk needs the right to mount a small file system.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	d := openIn(t, dir)
	d.fill(t, "people", 3000)
	big := open(t)
	big.fill(t, "people", 6000)
	_, packed := big.send(t, big.root, "GET", "export?collection=people", nil)
	const full = "ServiceQuotaExceededException"
	d.refused(t, full, d.root, "POST", "import?collection=copy", packed)
	d.nothingLeft(t)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk takes 4 MiB more: %v", err)
	}
	d.refused(t, full, d.root, "GET", "backup", nil)
	d.refused(t, full, d.root, "GET", "export?collection=people", nil)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.nothingLeft(t)
	if _, err := d.store.CreateCollection(t.Context(),
		face.Collection{Realm: home, ID: "later", FaceModelVersion: "1.0"}, nil, 0); err != nil {
		t.Errorf("the store after that: %v", err)
	}
}
