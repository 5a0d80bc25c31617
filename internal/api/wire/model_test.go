package wire_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// modelFile reads the service's model, as the generator reads it.
func modelFile(t *testing.T) []byte {
	t.Helper()
	names, err := filepath.Glob("gen/model/botocore-*-service-2.json.gz")
	if err != nil || len(names) != 1 {
		t.Fatalf("models %v, %v, want one", names, err)
	}
	file, err := os.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
