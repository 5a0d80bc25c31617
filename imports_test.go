package recollect_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The packages that each package may import. Whoever adds a line here bends the architecture: see ARCHITECTURE.md.
var mayImport = map[string][]string{
	"":                           {},
	"/wire":                      {},
	"/sigv4":                     {},
	"/iam":                       {},
	"/onnx":                      {},
	"/pack":                      {},
	"/jpeg":                      {},
	"/vision":                    {"", "/jpeg", "/pack", "/onnx"},
	"/verification":              {""},
	"/reference":                 {"", "/verification"},
	"/migration":                 {"", "/archive", "/bulk"},
	"/exact":                     {""},
	"/sqlite":                    {"", "/iam"},
	"/s3":                        {},
	"/bulk":                      {},
	"/storetest":                 {""},
	"/indextest":                 {""},
	"/enginetest":                {""},
	"/rekognition":               {"", "/iam", "/sigv4", "/wire"},
	"/metrics":                   {"/rekognition"},
	"/archive":                   {},
	"/console":                   {},
	"/admin":                     {"", "/archive", "/iam", "/rekognition", "/sigv4", "/sqlite", "/wire"},
	"/conformance":               {"/wire", "/conformance/compatibility"},
	"/conformance/compatibility": {"/wire"},
	"/cmd/recollect":             {"", "/admin", "/archive", "/bulk", "/console", "/exact", "/iam", "/metrics", "/migration", "/onnx", "/pack", "/reference", "/rekognition", "/s3", "/sqlite", "/verification", "/vision", "/wire"},

	"/conformance/clients/go": {}, // as any user's program
}

func TestImportsPointInwards(t *testing.T) {
	const module = "github.com/recollect-dev/recollect"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		seen[pkg] = true
		allowed, ok := mayImport[pkg]
		if !ok && !strings.HasPrefix(pkg, "/bench") && pkg != "/networks" {
			t.Errorf("package %s is not in the table", fields[0])
		}
		for _, imported := range fields[1:] {
			if p, ours := strings.CutPrefix(imported, module); ours && ok && !slices.Contains(allowed, p) {
				t.Errorf("%s must not import %s", fields[0], imported)
			}
		}
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("package %s%s of the table does not exist", module, pkg)
		}
	}
}
