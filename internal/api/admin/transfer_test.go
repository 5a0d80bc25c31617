package admin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

func TestACollectionMovesOutAndIn(t *testing.T) {
	d := open(t)
	for _, faces := range []int{0, 3, 700} { // none, one batch, several
		id := fmt.Sprint("people", faces)
		if faces > 0 {
			transfertest.Fill(t, d.store, home, id, faces)
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
		was, is := transfertest.Contents(t, d.store, home, id),
			transfertest.Contents(t, d.store, home, "copy"+id)
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
func (d *testServer) nothingLeft(t *testing.T) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(d.dir, ".archive-*")); len(left) > 0 {
		t.Errorf("scratch space is left: %v", left)
	}
	hidden, err := d.store.Collections(t.Context(), recollect.Realm{Region: "us-east-1"}, "", 10)
	if err != nil || len(hidden) > 0 {
		t.Errorf("hidden collections are left: %v, %v", hidden, err)
	}
}

// The API's errors of what the use case refuses: of a damaged archive, of a name that breaks a
// constraint, of a quota, and of a body that is not the one that was signed.
func TestAnArchiveThatIsRefused(t *testing.T) {
	d := open(t)
	transfertest.Fill(t, d.store, home, "people", 3)
	_, packed := d.send(t, d.root, "GET", "export?collection=people", nil)
	const invalid = "InvalidParameterException"
	d.refused(t, invalid, d.root, "POST", "import?collection=copy", packed[:len(packed)/2])
	d.refused(t, invalid, d.root, "POST", "import?collection=copy", packed,
		func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, len(packed)))) })
	for name, text := range map[string]string{"": packedWith(t, "team", "a"),
		"tags": packedWith(t, strings.Repeat("k", 129), "a")} {
		status, answer := d.send(t, d.root, "POST", "import?collection=copy"+name, []byte(text))
		if (status == 200) != (name == "") || !strings.Contains(string(answer), name) ||
			name != "" && !strings.Contains(string(answer), invalid) {
			t.Errorf("%d %s", status, answer)
		}
	}
	d.nothingLeft(t)
}

// packedWith is an archive of an empty collection with a tag.
func packedWith(t *testing.T, key, value string) string {
	t.Helper()
	var b strings.Builder
	a, err := archive.NewWriter(&b, archive.Manifest{Format: archive.KindCollection,
		Collection: &archive.Collection{CollectionId: "any", FaceModelVersion: "1.0",
			Tags: map[string]string{key: value}}})
	if err != nil {
		t.Fatal(err)
	}
	none := func(func([]float32) error) error { return nil }
	if err := errors.Join(
		archive.WriteLines(a, archive.UsersName,
			func(func(archive.User) error) error { return nil }),
		archive.WriteVectors(a, archive.UserVectorsName, 0, 0, none),
		archive.WriteLines(a, archive.FacesName,
			func(func(archive.Face) error) error { return nil }),
		archive.WriteVectors(a, archive.FaceVectorsName, 0, 0, none), a.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBackup: the server's own principals alone back it up, and the root key is not in a backup.
func TestBackup(t *testing.T) {
	d := open(t)
	status, packed := d.send(t, d.user(t, account, "operator", "administrator"), "GET", "backup",
		nil)
	if status != 200 {
		t.Fatalf("backup: %d %s", status, packed)
	}
	if _, err := archive.NewReader(t.Context(), bytes.NewReader(packed), int64(len(packed)),
		archive.KindBackup); err != nil {
		t.Error(err)
	}
	d.refused(t, "AccessDeniedException", d.user(t, "210987654321", "foreign", "administrator"),
		"GET", "backup", nil)
	if bytes.Contains(packed, []byte(d.root.Secret)) {
		t.Error("the root key is in the backup")
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
	transfertest.Fill(t, d.store, home, "people", 700)
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
	transfertest.Fill(t, d.store, home, "people", 3000)
	big := open(t)
	transfertest.Fill(t, big.store, home, "people", 6000)
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
