package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestText installs the model pack text from a folder of networks, and reads a picture.
func TestText(t *testing.T) {
	needText(t)
	library := copyLibrary(t)
	is := func(status int, want string, args ...string) string {
		t.Helper()
		out, log, got := program(t, args...)
		if got != status || !regexp.MustCompile(want).MatchString(out+log) {
			t.Errorf("recollect %s: status %d, want %d, and %s of:\n%s%s", strings.Join(args, " "),
				got, status, want, out, log)
		}
		return out
	}
	picture, nothing := filepath.Join(t.TempDir(), "sign.png"), filepath.Join(t.TempDir(), "0.png")
	writeFile(t, picture, sign(t))
	var empty bytes.Buffer
	if err := png.Encode(&empty, blank(200, 100)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, nothing, empty.Bytes())
	data := filepath.Join(t.TempDir(), "data")
	withLibrary := func(c *serveConfig) { c.Library = library }
	stop := startServer(t, data, withLibrary)
	is(statusFailed, `NotImplementedException: .* recollect models add text`, "text", picture)
	stop()

	networks := t.TempDir() // under other names
	for i, name := range []string{"ppocrv6_det_small.onnx", "ppocrv6_rec_small.onnx"} {
		copyFile(t, filepath.Join(installed, "packs", "text", name),
			filepath.Join(networks, string(rune('a'+i))))
	}
	is(statusUsage, `--from is for the packs accurate, text`, "models", "add", networks, "--from",
		networks, "--library", library)
	is(statusUsage, `--default is for models of faces`, "models", "add", "text", "--default",
		"--from", networks, "--library", library)
	is(0, `text was added: text model version 1\.0, it reads`, "models", "add", "text", "--from",
		networks, "--library", library)
	is(statusFailed, `already`, "models", "add", "text", "--from", networks, "--library", library)
	is(0, `\ntext +1\.0 +Apache-2.0 +text`, "models", "list", "--library", library)
	is(0, `detect +ppocrv6_det_small.onnx +db +anyxany BGR +9,929,594 `, "models", "show", "text",
		"--library", library)
	is(0, `default works(?s).*text works: text model version 1\.0`, "models", "verify", "--library",
		library)
	is(statusFailed, `of the family text, not of faces`, "models", "default", "text", "--library",
		library)

	startServer(t, data, withLibrary)
	is(0, `(?m)^.*sign.png +0 +Platform 9 +\d+\.\d+ .*\n +1 +To the trains `, "text", picture)
	is(0, `(?s)2 +Platform .*6 +trains `, "text", picture, "--words")
	is(0, `^Picture,Id,DetectedText,Confidence,Left,Top,Width,Height\n.*,2,Platform,`, "text",
		picture, "--words", "--output", "csv")
	lines := jsonLines(t, is(0, ``, "text", picture, "--output", "json"))
	if found := lines[0]["TextDetections"].([]any); len(found) != 7 {
		t.Errorf("found %v", found)
	}
	drawn := filepath.Join(t.TempDir(), "drawn.png")
	is(0, `Platform 9`, "text", picture, "--draw", drawn)
	if before, err := os.ReadFile(drawn); err != nil || bytes.Equal(before, sign(t)) {
		t.Errorf("nothing was drawn: %v", err)
	}
	is(statusNo, `there is no text`, "text", nothing)
	is(statusNo, `there is no text`, "text", picture, "--min-confidence", "100")
	is(statusUsage, `--min-confidence must be 0 to 100`, "text", picture, "--min-confidence", "101")
	is(0, `text model 1\.0`, "doctor", "--library", library, "--data", data)
}
