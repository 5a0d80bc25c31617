package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The packages that each package may import. Whoever adds a line here bends the architecture: see
// ARCHITECTURE.md.
var mayImport = map[string][]string{
	"/internal":           {},
	"/internal/recollect": {},
	"/internal/face":      {"/internal/recollect"},
	"/internal/text":      {"/internal/recollect"},
	"/internal/job":       {"/internal/recollect"},
	// Faces in videos are faces, and are searched in collections of faces.
	"/internal/videoface":    {"/internal/face", "/internal/job", "/internal/recollect"},
	"/internal/api/wire":     {},
	"/internal/api/wire/gen": {},
	"/internal/sigv4":        {},
	"/internal/iam":          {},
	"/internal/engine/onnx":  {},
	"/internal/engine/pack":  {},
	"/internal/engine/jpeg":  {},
	"/internal/engine/vision": {"/internal/face", "/internal/recollect",
		"/internal/engine/jpeg", "/internal/engine/pack", "/internal/engine/onnx"},
	"/internal/engine/ocr": {"/internal/text", "/internal/engine/pack", "/internal/engine/onnx",
		"/internal/engine/vision"},
	"/internal/engine/ocr/ocrtest":  {"/internal/recollect", "/internal/text"},
	"/internal/engine/registry":     {"/internal/engine/pack"},
	"/packs":                        {},
	"/internal/engine/verification": {"/internal/face", "/internal/recollect"},
	"/internal/engine/reference": {"/internal/face", "/internal/recollect",
		"/internal/engine/verification"},
	"/internal/video":           {"/internal/face", "/internal/recollect", "/internal/videoface"},
	"/internal/video/videotest": {"/internal/face", "/internal/recollect", "/internal/videoface"},
	"/internal/transfer": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/transfer/archive"},
	"/internal/transfer/transfertest": {"/internal/face", "/internal/recollect",
		"/internal/transfer"},
	"/internal/transfer/migration": {"/internal/face", "/internal/recollect",
		"/internal/transfer/archive", "/internal/client/bulk"},
	"/internal/cluster":      {},
	"/internal/index/exact":  {"/internal/face", "/internal/recollect"},
	"/internal/index/shared": {"/internal/face", "/internal/recollect", "/internal/index/exact"},
	"/internal/store/record": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/job", "/internal/videoface"},
	"/internal/store/sqlite": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/job", "/internal/transfer", "/internal/store/record", "/internal/videoface"},
	"/internal/store/postgres": {"/internal/cluster", "/internal/face", "/internal/recollect",
		"/internal/iam", "/internal/job", "/internal/transfer", "/internal/store/record",
		"/internal/videoface"},
	"/internal/store/postgres/postgrestest": {},
	"/internal/source/s3":                   {},
	"/internal/client/bulk":                 {},
	"/internal/store/storetest": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/job", "/internal/transfer", "/internal/transfer/transfertest",
		"/internal/videoface"},
	"/internal/index/indextest": {"/internal/face", "/internal/recollect"},
	"/internal/engine/enginetest": {"/internal/face", "/internal/recollect",
		"/internal/videoface"},
	"/internal/api/rekognition": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/job", "/internal/sigv4", "/internal/api/authn", "/internal/api/clientaddr",
		"/internal/api/exchange", "/internal/api/trail", "/internal/api/wire", "/internal/audit",
		"/internal/text", "/internal/tracing", "/internal/videoface"},
	"/internal/api/clientaddr": {},
	"/internal/api/ratelimit":  {},
	"/internal/api/authn": {"/internal/api/clientaddr", "/internal/api/ratelimit",
		"/internal/iam", "/internal/recollect", "/internal/sigv4"},
	"/internal/api/exchange": {"/internal/api/authn", "/internal/recollect"},
	"/internal/audit":        {},
	"/internal/tracing":      {"/internal/face", "/internal/recollect"},
	"/internal/api/trail":    {"/internal/api/authn", "/internal/audit", "/internal/recollect"},
	"/internal/oidc":         {},
	"/internal/notify":       {},
	"/internal/api/sts": {"/internal/api/authn", "/internal/api/clientaddr",
		"/internal/api/exchange", "/internal/api/ratelimit", "/internal/api/rekognition",
		"/internal/api/trail", "/internal/audit", "/internal/iam", "/internal/oidc",
		"/internal/sigv4", "/internal/tracing"},
	"/internal/metrics":          {"/internal/api/rekognition"},
	"/internal/transfer/archive": {},
	"/internal/api/console":      {},
	"/internal/api/admin": {"/internal/cluster", "/internal/face", "/internal/recollect",
		"/internal/transfer/archive", "/internal/iam", "/internal/api/authn",
		"/internal/api/clientaddr", "/internal/api/exchange", "/internal/api/rekognition",
		"/internal/api/trail", "/internal/api/wire", "/internal/audit", "/internal/tracing"},
	"/conformance":               {"/internal/api/wire", "/conformance/compatibility"},
	"/conformance/compatibility": {"/internal/api/wire"},
	"/conformance/cluster":       {}, // tests of real servers, from outside
	// The only one that joins stores, indexes, engines and the APIs.
	"/internal/server": {"/internal/cluster", "/internal/face", "/internal/recollect",
		"/internal/iam", "/internal/job", "/internal/notify", "/internal/text", "/internal/video",
		"/internal/videoface", "/internal/metrics", "/internal/transfer", "/internal/api/admin",
		"/internal/api/authn", "/internal/api/clientaddr", "/internal/api/console",
		"/internal/api/rekognition", "/internal/api/sts", "/internal/api/trail",
		"/internal/audit", "/internal/tracing", "/internal/oidc", "/internal/engine/onnx",
		"/internal/engine/ocr", "/internal/engine/pack",
		"/internal/engine/reference", "/internal/engine/vision", "/internal/index/exact",
		"/internal/index/shared", "/internal/source/s3", "/internal/store/postgres",
		"/internal/store/sqlite"},
	"/internal/server/certtest": {},
	"/cmd/recollect": {"/internal/face", "/internal/recollect", "/internal/iam",
		"/internal/transfer", "/internal/transfer/archive", "/internal/transfer/migration",
		"/internal/client/bulk", "/internal/job", "/internal/notify", "/internal/server",
		"/internal/video", "/internal/api/admin",
		"/internal/api/clientaddr", "/internal/api/console", "/internal/api/rekognition",
		"/internal/api/wire", "/internal/engine/pack",
		"/internal/engine/reference", "/internal/engine/registry", "/internal/engine/verification",
		"/internal/engine/vision", "/packs", "/internal/source/s3", "/internal/store/postgres",
		"/internal/store/sqlite", "/internal/audit", "/internal/tracing"},

	"/recollecttest":          {}, // is a part of users' tests, and starts the program
	"/conformance/clients/go": {}, // as any user's program
	"/packaging":              {}, // tests of what is built for release, from outside
}

// The packages of others that only the packages below one folder may import: drivers of databases.
var confined = map[string]string{
	"github.com/mattn/go-sqlite3": "/internal/store/",
	"database/sql":                "/internal/store/",
	"github.com/jackc/pgx/v5":     "/internal/store/",
}

func TestImportsPointInwards(t *testing.T) {
	const module = "github.com/recollect-dev/recollect"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f",
		`{{.ImportPath}} {{join .Imports " "}}`, module+"/...").CombinedOutput()
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
			if folder, ok := confined[imported]; ok && !strings.HasPrefix(pkg, folder) {
				t.Errorf("%s must not import %s, which is for %s alone", fields[0], imported,
					folder)
			}
			if strings.HasPrefix(pkg, "/internal/api/") &&
				strings.HasPrefix(imported, module+"/internal/store/") {
				t.Errorf("%s must not import a store, as %s is", fields[0], imported)
			}
			if p, ours := strings.CutPrefix(imported, module); ours && ok &&
				!slices.Contains(allowed, p) {
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
