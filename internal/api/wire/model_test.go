package wire_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// modelFile reads a file that lies beside the service's model. The test is skipped if the module
// that holds it cannot be had.
func modelFile(t *testing.T, name string) []byte {
	t.Helper()
	const module = "github.com/aws/aws-sdk-go"
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-C", "gen", "-json",
		module).Output()
	if err != nil {
		t.Skipf("skipped, because module %s, which holds the service's model, cannot be had: %v",
			module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("parsing the answer of go mod download: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(found.Dir, "models/apis/rekognition/2016-06-27", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
