package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const yuNetFile = "../../../shared/models/face_detection_yunet_2023mar.onnx"

// copyLibrary copies what is installed, without packs that were added.
func copyLibrary(t *testing.T) string {
	t.Helper()
	needNetworks(t)
	library := filepath.Join(t.TempDir(), "library")
	if err := os.CopyFS(filepath.Join(library, "packs", "default"), os.DirFS(filepath.Join(installed, "packs", "default"))); err != nil {
		t.Fatal(err)
	}
	// The very same file: a process loads one.
	runtime, err := filepath.Abs(filepath.Join(installed, "onnxruntime"))
	if err == nil {
		err = os.Symlink(runtime, filepath.Join(library, "onnxruntime"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return library
}

// yuNetPack makes a folder with the pack of YuNet: its manifest, its detector, and the other networks from the default pack.
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

// TestModels adds a second pack, and has one server serve collections of both.
func TestModels(t *testing.T) {
	library := copyLibrary(t)
	is := func(status int, want string, args ...string) string {
		t.Helper()
		if args[0] == "models" {
			args = append(args, "--library", library)
		}
		out, log, got := program(t, args...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "), got, status, want, out, log)
		}
		return out
	}
	is(0, `^MODEL PACK.*\ndefault +1\.0 +yes +MIT`, "models", "list")
	is(0, `default works: face model version 1\.0, vectors of 512 numbers`, "models", "verify")

	// Packs that load and are described wrongly.
	is(statusFailed, `does not work(?s).*were found`, "models", "add", yuNetPack(t, `"color": "BGR", "mean": [0, 0, 0], "std": [1, 1, 1]`, `"color": "BGR", "mean": [127, 127, 127], "std": [128, 128, 128]`))
	is(statusFailed, `shape of output "bbox_8"`, "models", "add", yuNetPack(t, `"obj_32", "bbox_8"`, `"bbox_8", "obj_32"`))
	is(statusFailed, `decoder "yolo"`, "models", "add", yuNetPack(t, `"decoder": "yunet"`, `"decoder": "yolo"`))
	is(statusFailed, `SHA-256`, "models", "add", yuNetPack(t, `"sha256": "8`, `"sha256": "9`))
	is(statusFailed, `neither a folder nor a zip`, "models", "add", "models_test.go")
	is(statusFailed, `no such file`, "models", "add", "absent")
	is(0, `^MODEL PACK.*\ndefault .*\n$`, "models", "list")

	source := yuNetPack(t)
	is(0, `yunet was added: face model version 1\.0-yunet`, "models", "add", source)
	is(statusFailed, `already`, "models", "add", source)
	is(0, `\ndefault +1\.0 +yes.*\nyunet +1\.0-yunet +MIT`, "models", "list")
	is(0, `detect +face_detection_yunet_2023mar.onnx +yunet +640x640 BGR +232,409 `, "models", "show", "yunet")
	var shown struct{ Version string }
	if err := json.Unmarshal([]byte(is(0, ``, "models", "show", "yunet", "--output", "json")), &shown); err != nil || shown.Version != "1.0-yunet" {
		t.Errorf("shown %+v, %v", shown, err)
	}
	is(statusUsage, `there are: default, yunet`, "models", "show", "absent")
	is(statusUsage, `there are: default, yunet`, "models", "default", "absent")
	is(0, `^default\n$`, "models", "default")

	data := filepath.Join(t.TempDir(), "data")
	withLibrary := func(c *serveConfig) { c.Library = library }
	anna, again := filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0001.jpg"), filepath.Join(lfw, "images/Aaron_Peirsol/Aaron_Peirsol_0002.jpg")
	if _, err := os.Stat(anna); err != nil {
		t.Skipf("the shared pictures are not here: %v", err)
	}
	photos := filepath.Join(t.TempDir(), "photos")
	copyFile(t, anna, filepath.Join(photos, "anna.jpg"))
	fill := func(collection string) {
		is(0, `1 of 1 pictures`, "import", photos, "--collection", collection, "--create", "--report", filepath.Join(t.TempDir(), "report.csv"))
	}
	stop := startServer(t, data, withLibrary)
	fill("first")
	stop()
	is(0, `New collections get the model pack yunet`, "models", "default", "yunet")
	is(0, `^yunet\n$`, "models", "default")
	stop = startServer(t, data, withLibrary)
	fill("second")
	is(0, `first +1\.0\nsecond +1\.0-yunet`, "collections", "list")
	for _, collection := range []string{"first", "second"} {
		is(0, `9\d\.\d\d .*anna.jpg`, "search", again, "--collection", collection)
	}
	stop()

	// A server does not start without the face model of its default, or on a pack that was altered.
	writeFile(t, filepath.Join(library, "packs", "yunet", "fr_pose.onnx"), []byte("altered"))
	is(statusNo, `(?s)default works.*yunet does not work.*fr_pose.onnx|(?s)yunet does not work.*fr_pose.onnx.*1 of 2`, "models", "verify")
	is(statusFailed, `(?s)yunet.*fr_pose.onnx`, "serve", "--data", data, "--library", library, "--listen", "127.0.0.1:0")
}
