package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/recollect"
)

func TestImagesOfAFolder(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "holiday"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "holiday", "anna.jpg"), []byte("a picture"),
		0o600); err != nil {
		t.Fatal(err)
	}
	source, err := OpenImages(S3Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		bucket, key string
		max         int64
		code        recollect.Code
	}{
		"there":         {"holiday", "anna.jpg", 100, -1},
		"too large":     {"holiday", "anna.jpg", 3, recollect.CodeImageTooLarge},
		"no such key":   {"holiday", "bob.jpg", 100, recollect.CodeInternal},
		"no bucket":     {"work", "anna.jpg", 100, recollect.CodeInternal},
		"out of bucket": {"holiday", "../holiday/anna.jpg", 100, recollect.CodeInternal},
	} {
		data, err := source.Get(t.Context(), c.bucket, c.key, "", c.max)
		if c.code < 0 && (err != nil || string(data) != "a picture") {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		if c.code >= 0 && (err == nil || recollect.CodeOf(err) != c.code) {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
	}
	if source, err := OpenImages(S3Config{Region: "us-east-1"}); source != nil ||
		err != nil {
		t.Errorf("without a configuration: %v, %v", source, err)
	}
	if _, err := OpenImages(S3Config{Root: filepath.Join(root, "absent")}); err == nil {
		t.Error("a folder that is not there was accepted")
	}
}
