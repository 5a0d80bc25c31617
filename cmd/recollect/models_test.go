package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const yuNetFile = "../../../shared/models/face_detection_yunet_2023mar.onnx"

// copyLibrary copies the installed library, without added packs.
func copyLibrary(t *testing.T) string {
	t.Helper()
	needNetworks(t)
	library := filepath.Join(t.TempDir(), "library")
	if err := os.CopyFS(filepath.Join(library, "packs", "default"),
		os.DirFS(filepath.Join(installed, "packs", "default"))); err != nil {
		t.Fatal(err)
	}
	// The same file, since a process loads one library.
	runtime, err := filepath.Abs(filepath.Join(installed, "onnxruntime"))
	if err == nil {
		err = os.Symlink(runtime, filepath.Join(library, "onnxruntime"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return library
}

// yuNetPack makes a folder with the pack of YuNet: its manifest, its detector, and the other
// networks from the default pack.
func yuNetPack(t *testing.T, change ...string) string {
	t.Helper()
	if _, err := os.Stat(yuNetFile); err != nil {
		t.Skipf("the shared networks are not there: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "yunet")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(installed, "packs", "default"))); err != nil {
		t.Fatal(err)
	}
	copyFile(t, yuNetFile, filepath.Join(dir, filepath.Base(yuNetFile)))
	manifest, err := os.ReadFile("../../packs/yunet/pack.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(manifest)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			t.Fatalf("the manifest has no %q", change[i])
		}
		text = strings.Replace(text, change[i], change[i+1], 1)
	}
	writeFile(t, filepath.Join(dir, "pack.json"), []byte(text))
	return dir
}

// TestModels adds a second pack, and serves collections of both with one server.
func TestModels(t *testing.T) {
	library := copyLibrary(t)
	is := func(status int, want string, args ...string) string {
		t.Helper()
		if args[0] == "models" {
			args = append(args, "--library", library)
		}
		out, log, got := program(t, args...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "),
				got, status, want, out, log)
		}
		return out
	}
	is(0, `^MODEL PACK.*\ndefault +2\.0 +yes +MIT`, "models", "list")
	is(0, `default works: face model version 2\.0, vectors of 512 numbers`, "models", "verify")

	// Packs that load, with wrong manifests.
	is(statusFailed, `does not work(?s).*were found`, "models", "add",
		yuNetPack(t, `"color": "BGR", "mean": [0, 0, 0], "std": [1, 1, 1]`,
			`"color": "BGR", "mean": [127, 127, 127], "std": [128, 128, 128]`))
	is(statusFailed, `shape of output "bbox_8"`, "models", "add",
		yuNetPack(t, `"obj_32", "bbox_8"`, `"bbox_8", "obj_32"`))
	is(statusFailed, `decoder "yolo"`, "models", "add",
		yuNetPack(t, `"decoder": "yunet"`, `"decoder": "yolo"`))
	is(statusFailed, `SHA-256`, "models", "add", yuNetPack(t, `"sha256": "8`, `"sha256": "9`))
	is(statusFailed, `neither a folder nor a zip`, "models", "add", "models_test.go")
	is(statusFailed, `no such file`, "models", "add", "absent")
	is(0, `^MODEL PACK.*\ndefault .*\n$`, "models", "list")

	source := yuNetPack(t)
	is(0, `yunet was added: face model version 1\.0-yunet`, "models", "add", source)
	is(statusFailed, `already`, "models", "add", source)
	is(0, `\ndefault +2\.0 +yes.*\nyunet +1\.0-yunet +MIT`, "models", "list")
	is(0, `detect +face_detection_yunet_2023mar.onnx +yunet +640x640 BGR +232,409 `, "models",
		"show", "yunet")
	var shown struct{ Version string }
	if err := json.Unmarshal([]byte(is(0, ``, "models", "show", "yunet", "--output", "json")),
		&shown); err != nil || shown.Version != "1.0-yunet" {
		t.Errorf("shown %+v, %v", shown, err)
	}
	is(statusUsage, `there are: default, yunet`, "models", "show", "absent")
	is(statusUsage, `there are: default, yunet`, "models", "default", "absent")
	is(0, `^default\n$`, "models", "default")

	data := filepath.Join(t.TempDir(), "data")
	withLibrary := func(c *serveConfig) { c.Library = library }
	anna, again := filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0001.jpg"),
		filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0002.jpg")
	if _, err := os.Stat(anna); err != nil {
		t.Skipf("the shared pictures are not here: %v", err)
	}
	photos := filepath.Join(t.TempDir(), "photos")
	copyFile(t, anna, filepath.Join(photos, "anna.jpg"))
	fill := func(collection string) {
		is(0, `1 of 1 pictures`, "import", photos, "--collection", collection, "--create",
			"--report", filepath.Join(t.TempDir(), "report.csv"))
	}
	stop := startServer(t, data, withLibrary)
	fill("first")
	stop()
	is(0, `New collections get the model pack yunet`, "models", "default", "yunet")
	is(0, `^yunet\n$`, "models", "default")
	stop = startServer(t, data, withLibrary)
	fill("second")
	is(0, `first +2\.0\nsecond +1\.0-yunet`, "collections", "list")
	for _, collection := range []string{"first", "second"} {
		is(0, `9\d\.\d\d .*anna.jpg`, "search", again, "--collection", collection)
	}
	stop()

	// A server does not start without the face model of its default, or with an altered pack.
	writeFile(t, filepath.Join(library, "packs", "yunet", "fr_pose.onnx"), []byte("altered"))
	is(statusNo, `(?s)default works.*yunet does not work.*fr_pose.onnx|`+
		`(?s)yunet does not work.*fr_pose.onnx.*1 of 2`, "models", "verify")
	is(statusFailed, `(?s)yunet.*fr_pose.onnx`, "serve", "--data", data, "--library", library,
		"--listen", "127.0.0.1:0")
}

// TestMigrate migrates a collection with users to a second face model, from pictures of which one
// has changed and one is missing.
func TestMigrate(t *testing.T) {
	library := copyLibrary(t)
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	n := people(t, photos, 100, 8)
	copyFile(t, "../../../shared/data/group/cf_014_5.jpg",
		filepath.Join(photos, "Group", "five.jpg"))
	is := func(status int, want string, args ...string) string {
		t.Helper()
		out, log, got := program(t, args...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "),
				got, status, want, out, log)
		}
		return out
	}
	data := filepath.Join(dir, "data")
	withLibrary := func(c *serveConfig) { c.Library = library }
	stop := startServer(t, data, withLibrary)
	is(0, `users got`, "import", photos, "--collection", "people", "--create", "--users",
		"--max-faces", "100", "--quality-filter", "NONE", "--report",
		filepath.Join(dir, "report.csv"))
	ids := func(collection string) map[string]string { // external ids and users by face
		faces := map[string]string{}
		for _, f := range jsonLines(t, is(0, ``, "faces", "list", collection, "--output", "json")) {
			faces[f["FaceId"].(string)] = fmt.Sprint(f["ExternalImageId"], f["UserId"],
				f["ImageId"])
		}
		return faces
	}
	before := ids("people")
	if len(before) < n+5 {
		t.Fatalf("%d faces were indexed of %d pictures", len(before), n+1)
	}

	is(0, `was added`, "models", "add", yuNetPack(t), "--library", library)
	work := filepath.Join(dir, "work")
	migrateTo := func(to string, more ...string) []string {
		return append([]string{"collections", "migrate", "people", "--images", photos, "--to", to,
			"--model", "yunet", "--library", library, "--work", work}, more...)
	}
	is(statusFailed, `has the face models \["2.0"\] and not "1.0-yunet"`, migrateTo("people-2")...)
	stop()
	startServer(t, data, withLibrary)

	is(statusUsage, `(?s)--output.*--to must be another`, migrateTo("people", "--output", "xml")...)
	is(statusUsage, `already`, "collections", "migrate", "people", "--images", photos, "--to",
		"again", "--model", "default", "--library", library, "--work", filepath.Join(dir, "other"))
	is(statusFailed, `ResourceNotFoundException`, "collections", "migrate", "absent", "--images",
		photos, "--model", "yunet", "--library", library, "--work", filepath.Join(dir, "absent"))

	// A picture that was saved again has the same name and other bytes; one is missing.
	pictures, err := filepath.Glob(filepath.Join(photos, "*", "*_0001.jpg"))
	if err != nil || len(pictures) < 2 {
		t.Fatalf("the pictures are %v, %v", pictures, err)
	}
	changed, err := os.ReadFile(pictures[0])
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, pictures[0], append(changed, "saved again"...))
	if err := os.Rename(pictures[1], filepath.Join(dir, "away.jpg")); err != nil {
		t.Fatal(err)
	}
	gone := strings.ReplaceAll(strings.TrimPrefix(pictures[1], photos+"/"), "/", ":")
	is(statusNo, `(?s)FACE WITHOUT PICTURE.*`+regexp.QuoteMeta(gone)+`.*--leave-out`,
		migrateTo("people-2")...)
	is(0, `\npeople +2\.0\n$`, "collections", "list")
	if info, err := os.Stat(work); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the working folder can be read by others: %v, %v", info, err)
	}
	if err := os.Rename(filepath.Join(dir, "away.jpg"), pictures[1]); err != nil {
		t.Fatal(err)
	}
	is(0, fmt.Sprintf(`people-2 has %d faces and 9 users`, len(before)), migrateTo("people-2")...)
	is(0, `people +2\.0\npeople-2 +1\.0-yunet`, "collections", "list")
	if after := ids("people-2"); !maps.Equal(after, before) {
		t.Errorf("the faces are %v, and were %v", after, before)
	}
	if _, err := os.Stat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the working folder is still there: %v", err)
	}
	is(0, `100\.00 .*`+regexp.QuoteMeta(gone), "search", pictures[1], "--collection", "people-2")
	is(0, regexp.QuoteMeta(filepath.Base(filepath.Dir(pictures[1]))), "search", pictures[1],
		"--collection", "people-2", "--users")
	is(statusFailed, `a collection people-2 already`, migrateTo("people-2")...)

	if err := os.Remove(pictures[1]); err != nil {
		t.Fatal(err)
	}
	is(0, fmt.Sprintf(`(?s)FACE WITHOUT PICTURE.*people-3 has %d faces and 9 users`, len(before)-1),
		migrateTo("people-3", "--leave-out")...)
}

// TestUpgrade starts a server of the default pack on the data of a server of face model version
// 1.0, whose pack the installer keeps as default-1.0: collections of both answer, and the older one
// can be moved.
func TestUpgrade(t *testing.T) {
	library := copyLibrary(t)
	packs := filepath.Join(library, "packs")
	is := func(want string, args ...string) {
		t.Helper()
		out, log, got := program(t, args...)
		if got != 0 || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want 0, and %s of:\n%s%s", strings.Join(args, " "),
				got, want, out, log)
		}
	}
	anna, again := filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0001.jpg"),
		filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0002.jpg")
	if _, err := os.Stat(anna); err != nil {
		t.Skipf("the shared pictures are not here: %v", err)
	}
	photos := filepath.Join(t.TempDir(), "photos")
	copyFile(t, anna, filepath.Join(photos, "anna.jpg"))
	fill := func(collection string) {
		is(`1 of 1 pictures`, "import", photos, "--collection", collection, "--create", "--report",
			filepath.Join(t.TempDir(), "report.csv"))
	}
	first, err := os.ReadFile("../../packs/default-1.0/pack.json")
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(filepath.Join(packs, "default", "pack.json"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(packs, "default", "pack.json"),
		[]byte(strings.Replace(string(first), `"default-1.0"`, `"default"`, 1)))
	data := filepath.Join(t.TempDir(), "data")
	withLibrary := func(c *serveConfig) { c.Library = library }
	stop := startServer(t, data, withLibrary)
	fill("first")
	is(`first +1\.0\n`, "collections", "list")
	stop()

	if err := os.CopyFS(filepath.Join(packs, "default-1.0"),
		os.DirFS(filepath.Join(packs, "default"))); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(packs, "default-1.0", "pack.json"), first)
	writeFile(t, filepath.Join(packs, "default", "pack.json"), now)
	startServer(t, data, withLibrary)
	fill("second")
	is(`first-2 has 1 faces`, "collections", "migrate", "first", "--images", photos, "--to",
		"first-2", "--model", "default", "--library", library, "--work",
		filepath.Join(t.TempDir(), "work"))
	is(`first +1\.0\nfirst-2 +2\.0\nsecond +2\.0`, "collections", "list")
	for _, collection := range []string{"first", "first-2", "second"} {
		is(`9\d\.\d\d .*anna.jpg`, "search", again, "--collection", collection)
	}
}

// TestFetch repairs a pack from a folder of networks.
func TestFetch(t *testing.T) {
	library := copyLibrary(t)
	saved := filepath.Join(t.TempDir(), "saved.bin")
	if err := os.Rename(filepath.Join(library, "packs", "default", "fr_pose.onnx"),
		saved); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from   string
		status int
		want   string
	}{
		{t.TempDir(), statusNo, `fr_pose.onnx.*missing`},
		{filepath.Dir(saved), 0, `fr_pose.onnx was fetched`},
		{filepath.Dir(saved), 0, `has all of its networks`},
	} {
		out, log, got := program(t, "models", "fetch", "--from", test.from, "--library", library)
		if got != test.status || !regexp.MustCompile(test.want).MatchString(out+log) {
			t.Errorf("status %d, want %d, and %s of:\n%s%s", got, test.status, test.want, out, log)
		}
	}
}
