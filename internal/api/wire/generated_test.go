package wire_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// TestGeneratedCodeIsUpToDate runs the generator again and compares. The generator fails if the
// model that is kept is not of the version that is pinned.
func TestGeneratedCodeIsUpToDate(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "run", "./gen", "-out",
		dir).CombinedOutput(); err != nil {
		t.Fatalf("running the generator: %v\n%s", err, out)
	}
	fresh, _ := filepath.Glob(filepath.Join(dir, "*"))
	present, _ := filepath.Glob("*_gen.go")
	if len(fresh) == 0 || len(fresh) != len(present) {
		t.Fatalf("the generator writes %d files, %d are here", len(fresh), len(present))
	}
	for _, path := range fresh {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run make generate",
				filepath.Base(path))
		}
	}
}

func TestOperations(t *testing.T) {
	all := wire.Operations()
	if len(all) != 75 {
		t.Errorf("%d operations, want 75", len(all))
	}
	for i, op := range all {
		if i > 0 && all[i-1].Name >= op.Name {
			t.Errorf("%s is not after %s", op.Name, all[i-1].Name)
		}
		if !slices.IsSorted(op.Errors) || !slices.Contains(op.Errors, "InternalServerError") {
			t.Errorf("%s: errors %v", op.Name, op.Errors)
		}
		found, ok := wire.Lookup(op.Name)
		if !ok || found.Name != op.Name {
			t.Errorf("Lookup(%q) = %v, %v", op.Name, found, ok)
		}
		for _, v := range []any{op.NewInput(), op.NewOutput()} {
			if err := wire.Decode([]byte(`{}`), v); err != nil {
				t.Errorf("%s: decoding %T: %v", op.Name, v, err)
			}
			if text, err := wire.Encode(v); err != nil || string(text) != `{}` {
				t.Errorf("%s: an empty %T is encoded as %s, %v", op.Name, v, text, err)
			}
		}
	}
	for _, name := range []string{"", "listcollections", "ListCollections ", "AAA", "ZZZ"} {
		if op, ok := wire.Lookup(name); ok {
			t.Errorf("Lookup(%q) finds %s", name, op.Name)
		}
	}
	op, _ := wire.Lookup("ListCollections")
	if _, ok := op.NewInput().(*wire.ListCollectionsRequest); !ok {
		t.Errorf("input of ListCollections is %T", op.NewInput())
	}
	if _, ok := op.NewOutput().(*wire.ListCollectionsResponse); !ok {
		t.Errorf("output of ListCollections is %T", op.NewOutput())
	}
	want := []string{"AccessDeniedException", "InternalServerError",
		"InvalidPaginationTokenException",
		"InvalidParameterException", "ProvisionedThroughputExceededException",
		"ResourceNotFoundException", "ThrottlingException"}
	if !slices.Equal(op.Errors, want) {
		t.Errorf("ListCollections declares %v, want %v", op.Errors, want)
	}
	op.Name, op.Errors[0], op.NewInput = "changed", "changed", nil
	if again, ok := wire.Lookup("ListCollections"); !ok || again.Errors[0] == "changed" ||
		again.NewInput == nil {
		t.Error("a caller can change the table")
	}
}
