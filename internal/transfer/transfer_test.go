package transfer_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

const account = "123456789012"

var home = recollect.Realm{Account: account, Region: "us-east-1"}

// data is a data folder with its store open, and the use cases over it.
type data struct {
	dir        string
	store      *sqlite.Store
	identities *iam.Service
	importer   *transfer.Importer
}

func open(t *testing.T) *data {
	t.Helper()
	d := &data{dir: t.TempDir()}
	var err error
	if d.store, err = sqlite.Open(t.Context(), d.dir, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	sealer, err := iam.OpenSealer(t.Context(), d.dir, d.store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	d.identities = iam.NewService(d.store.Identities(), sealer, iam.AccessKey{})
	d.importer = &transfer.Importer{Store: d.store, Rules: admin.Rules{},
		Models: []transfer.Model{{Version: "1.0", Dimension: 4}}, Limits: face.DefaultLimits()}
	return d
}

// user makes a user and returns its key.
func (d *data) user(t *testing.T, name string) iam.AccessKey {
	t.Helper()
	if _, err := d.identities.CreateUser(t.Context(), account, name); err != nil {
		t.Fatal(err)
	}
	key, err := d.identities.CreateAccessKey(t.Context(), account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *data) export(t *testing.T, id string) []byte {
	t.Helper()
	var b bytes.Buffer
	exporter := transfer.Exporter{Store: d.store, Program: "1.2.3"}
	if err := exporter.Write(t.Context(), &b, home, id); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (d *data) importAs(ctx context.Context, id string, packed []byte) (face.Collection, error) {
	a, err := archive.NewReader(ctx, bytes.NewReader(packed), int64(len(packed)),
		archive.KindCollection)
	if err != nil {
		return face.Collection{}, err
	}
	return d.importer.Import(ctx, a, home, id)
}

func (d *data) backup(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	backup := transfer.Backup{Store: d.store, Database: sqlite.DatabaseName,
		MasterKeyFile: filepath.Join(d.dir, iam.MasterKeyFile),
		Program:       "1.2.3"}
	if err := backup.Write(t.Context(), &b, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nothingLeft wants no collection that is hidden.
func (d *data) nothingLeft(t *testing.T) {
	t.Helper()
	hidden, err := d.store.Collections(t.Context(), recollect.Realm{Region: "us-east-1"}, "", 10)
	if err != nil || len(hidden) > 0 {
		t.Errorf("hidden collections are left: %v, %v", hidden, err)
	}
}

func TestExportAndImport(t *testing.T) {
	d := open(t)
	for _, faces := range []int{0, 3, 700} { // none, one batch, several
		id := fmt.Sprint("people", faces)
		if faces > 0 {
			transfertest.Fill(t, d.store, home, id, faces)
		} else if _, err := d.store.CreateCollection(t.Context(),
			face.Collection{Realm: home, ID: id, FaceModelVersion: "1.0"}, nil, 0); err != nil {
			t.Fatal(err)
		}
		packed := d.export(t, id)
		if _, err := d.importAs(t.Context(), id,
			packed); recollect.CodeOf(err) != recollect.CodeAlreadyExists {
			t.Errorf("a collection that is there already: %v", err)
		}
		c, err := d.importAs(t.Context(), "copy"+id, packed)
		if err != nil || c.FaceCount != int64(faces) {
			t.Fatalf("import: %+v, %v", c, err)
		}
		was := transfertest.Contents(t, d.store, home, id)
		is := transfertest.Contents(t, d.store, home, "copy"+id)
		if was != is || faces > 0 && !strings.Contains(was, "picture:1.jpg") {
			t.Errorf("%d faces: there was\n%.3000s\nand is\n%.3000s", faces, was, is)
		}
		if most := d.importer.MaxArchiveBytes(); int64(len(packed)) > most {
			t.Errorf("an archive of %d bytes is larger than the bound, %d", len(packed), most)
		}
	}
	exporter := transfer.Exporter{Store: d.store, Program: "1.2.3"}
	if err := exporter.Write(t.Context(), io.Discard, home,
		"absent"); recollect.CodeOf(err) != recollect.CodeNotFound {
		t.Errorf("a collection that is not there: %v", err)
	}
	d.nothingLeft(t)
}

// cancelling is a store whose caller goes away at the nth change of an import.
type cancelling struct {
	*sqlite.Store
	left   int
	cancel func()
}

func (c *cancelling) NewImport(ctx context.Context, goal face.Collection,
	tags map[string]string) (transfer.Import, error) {
	i, err := c.Store.NewImport(ctx, goal, tags)
	return &cancelledImport{i, c}, err
}

type cancelledImport struct {
	transfer.Import
	store *cancelling
}

func (i *cancelledImport) AddFaces(ctx context.Context, faces []face.Face) error {
	err := i.Import.AddFaces(ctx, faces)
	if i.store.left--; i.store.left == 0 {
		i.store.cancel()
	}
	return err
}

// An import whose caller goes away ends before the rest is read, and leaves nothing.
func TestImportIsCancelled(t *testing.T) {
	d := open(t)
	transfertest.Fill(t, d.store, home, "people", 3000)
	packed := d.export(t, "people")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	store := &cancelling{d.store, 2, cancel}
	d.importer.Store = store
	if _, err := d.importAs(ctx, "copy", packed); !errors.Is(err, context.Canceled) {
		t.Errorf("the import ended with %v", err)
	}
	if store.left < -1 {
		t.Errorf("%d more batches were added afterwards", -store.left)
	}
	if _, err := d.store.Collection(t.Context(), home,
		"copy"); recollect.CodeOf(err) != recollect.CodeNotFound {
		t.Errorf("a collection is left: %v", err)
	}
	d.nothingLeft(t)
}

// MaxArchiveBytes follows the limits, and a limit that stands for none does not wrap.
func TestMaxArchiveBytes(t *testing.T) {
	d := open(t)
	d.importer.Limits.FacesPerCollection, d.importer.Limits.UsersPerCollection = 1000, 10
	small := d.importer.MaxArchiveBytes()
	d.importer.Limits.FacesPerCollection = 2000
	large := d.importer.MaxArchiveBytes()
	if least := int64(1000 * 4 * 4); small < least || large-small < least || large > 8<<20 {
		t.Errorf("1000 faces may have %d bytes, and 2000 %d", small, large)
	}
	d.importer.Limits.FacesPerCollection = 1<<63 - 1
	if got := d.importer.MaxArchiveBytes(); got != 1<<63-1 {
		t.Errorf("without a limit: %d", got)
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

func replace(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) }
}

func TestAnArchiveThatIsRefused(t *testing.T) {
	d := open(t)
	transfertest.Fill(t, d.store, home, "people", 300)
	packed := d.export(t, "people")
	imports := func(name string, want recollect.Code, message string, body []byte) {
		t.Helper()
		_, err := d.importAs(t.Context(), "copy", body)
		_, damaged := errors.AsType[*archive.DamagedError](err)
		_, invalid := errors.AsType[*wire.ValidationError](err)
		if damaged || invalid {
			if want != recollect.CodeInvalidParameter {
				t.Errorf("%s: %v, want code %d", name, err, want)
			}
		} else if recollect.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %d", name, err, want)
		}
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v, want %q", name, err, message)
		}
	}
	const invalid = recollect.CodeInvalidParameter
	for _, length := range []int{1, 100, len(packed) / 2, len(packed) - 1} {
		imports(fmt.Sprint("cut to ", length), invalid, "archive", packed[:length])
	}
	for at := 0; at < len(packed); at += len(packed)/40 + 1 {
		flipped := bytes.Clone(packed)
		flipped[at] ^= 0x10
		if _, err := d.importAs(t.Context(), "copy", flipped); err == nil {
			// A bit that means nothing, such as a time in the zip's directory: then it is what was
			// exported.
			if transfertest.Contents(t, d.store, home, "people") !=
				transfertest.Contents(t, d.store, home, "copy") {
				t.Errorf("with bit %d.4 flipped the collection is another", at)
			}
			if _, err := d.store.DeleteCollection(t.Context(), home, "copy"); err != nil {
				t.Fatal(err)
			}
		}
	}
	edited := func(name string, want recollect.Code, message, file string,
		edit func([]byte) []byte) {
		t.Helper()
		imports(name, want, message,
			change(t, packed, map[string]func([]byte) []byte{file: edit}))
	}
	edited("another model", invalid, "2.0", "manifest.json",
		replace(`"FaceModelVersion":"1.0"`, `"FaceModelVersion":"2.0"`))
	edited("another dimension", invalid, "numbers", "manifest.json",
		replace(`"Dimension":4`, `"Dimension":8`))
	edited("more faces than there are", invalid, "faces.npy", "manifest.json",
		replace(`"FaceCount":300`, `"FaceCount":301`))
	edited("too many faces", recollect.CodeQuota, "", "manifest.json",
		replace(`"FaceCount":300`, `"FaceCount":20000001`))
	edited("a line less", invalid, "same length", "faces.jsonl",
		func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] })
	edited("a line that is none", invalid, "line 1 of faces.jsonl", "faces.jsonl",
		replace(`{"FaceId"`, `["FaceId"`))
	edited("a face twice", recollect.CodeConflict, "twice", "faces.jsonl", func(b []byte) []byte {
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
	c := transfertest.Fill(t, d.store, home, "people", 300)
	anna := d.user(t, "anna")
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
	packed := d.backup(t)
	close(stop)
	<-stopped
	database := transfer.Database{Name: sqlite.DatabaseName, Check: sqlite.Check,
		Secrets: sqlite.OpenSecrets}
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
	_, was, _ := strings.Cut(transfertest.Contents(t, d.store, home, "people"), "\n")
	_, is, _ := strings.Cut(transfertest.Contents(t, restored, home, "people"), "\n")
	if was != is {
		t.Error("the restored collection differs")
	}
	sealer, err := iam.OpenSealer(t.Context(), folder, restored.Identities())
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
