// Package packaging tests what is built for release: an archive that works from any folder, with
// checksums and a bill of materials that are true.
package packaging

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
)

var (
	release = flag.String("release", "", "folder of the archive, its checksums and documents")
	version = flag.String("version", "", "version that the release has to have")
)

const archivePattern = "recollect_*_linux_amd64.tar.gz"

// archive returns the path of the release's only archive.
func archive(t *testing.T) string {
	t.Helper()
	if *release == "" {
		t.Skip("no release is built; make test-release builds one and tests it")
	}
	found, err := filepath.Glob(filepath.Join(*release, archivePattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d archives (%v), want one", len(found), err)
	}
	return found[0]
}

// unpack unpacks the archive in a temporary folder, and returns the folder that it holds.
func unpack(t *testing.T) string {
	t.Helper()
	path, dir := archive(t), t.TempDir()
	out, err := exec.Command("tar", "-xzf", path, "-C", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("unpack: %v\n%s", err, out)
	}
	folder := filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".tar.gz"))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("the archive holds %v (%v), want one folder", entries, err)
	}
	return folder
}

func TestChecksums(t *testing.T) {
	path := archive(t)
	f, err := os.Open(filepath.Join(*release, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checked := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		want, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("%q is not a checksum and a name", lines.Text())
		}
		data, err := os.ReadFile(filepath.Join(*release, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has the checksum %x, want %s", name, sum, want)
		}
		checked[name] = true
	}
	for _, name := range []string{filepath.Base(path), filepath.Base(path) + ".cdx.json"} {
		if !checked[name] {
			t.Errorf("%s has no checksum", name)
		}
	}
}

func TestArchiveHasLicences(t *testing.T) {
	folder := unpack(t)
	for name, want := range map[string]string{
		"LICENSE": "Apache License", "THIRD_PARTY.md": "onnxruntime",
		"licences/go-modules.txt": "go-sqlite3", "licences/onnxruntime.txt": "Microsoft",
		"licences/onnxruntime-third-party.txt": "Eigen", "licences/networks.txt": "MIT License",
		"licences/preact.txt": "MIT License", "recollect.service": "ExecStart",
	} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s does not mention %s (%v)", name, want, err)
		}
	}
}

// Every file of the library folder is in the bill of materials with its hash, and so are the
// modules that the program says it was built from.
func TestBillOfMaterials(t *testing.T) {
	folder := unpack(t)
	data, err := os.ReadFile(archive(t) + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version string
			Hashes        []struct{ Alg, Content string }
		}
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		t.Fatal(err)
	}
	program := bom.Metadata.Component
	if bom.BOMFormat != "CycloneDX" || program.Version != *version ||
		program.Name != "github.com/recollect-dev/recollect" {
		t.Errorf("a document in the format %q of %s %s, want version %s", bom.BOMFormat,
			program.Name, program.Version, *version)
	}
	components := map[string]string{} // versions by name
	hashes := map[string]bool{}
	for _, c := range bom.Components {
		components[c.Name] = c.Version
		for _, h := range c.Hashes {
			hashes[c.Name+" "+h.Alg+" "+h.Content] = true
		}
	}
	for _, name := range []string{"onnxruntime-node", "faceplugin-face-recognition-js", "std"} {
		if components[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	out, err := exec.Command("go", "version", "-m",
		filepath.Join(folder, "bin", "recollect")).Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(string(out), -1)
	for _, m := range modules {
		if components[m[1]] != m[2] {
			t.Errorf("%s has the version %q, want %s", m[1], components[m[1]], m[2])
		}
	}
	if len(modules) < 10 {
		t.Errorf("the program names %d modules", len(modules))
	}
	err = filepath.WalkDir(filepath.Join(folder, "lib"), func(path string, d os.DirEntry,
		err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		sum := sha256.Sum256(content)
		if !hashes[name+" SHA-256 "+hex.EncodeToString(sum[:])] {
			t.Errorf("%s is missing, or has another hash", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The program of the archive, unpacked anywhere, finds its library folder and serves a client.
func TestProgramServes(t *testing.T) {
	folder := unpack(t)
	program := filepath.Join(folder, "bin", "recollect")
	out, err := exec.Command(program, "--version").Output()
	if want := "recollect version " + *version + "\n"; err != nil || string(out) != want {
		t.Errorf("--version says %q (%v), want %q", out, err, want)
	}
	data := filepath.Join(t.TempDir(), "data")
	url := serve(t, program, data)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"),
		config.WithSharedConfigFiles(nil),
		config.WithSharedCredentialsFiles([]string{filepath.Join(data, "credentials")}))
	if err != nil {
		t.Fatal(err)
	}
	client := rekognition.NewFromConfig(cfg, func(o *rekognition.Options) {
		o.BaseEndpoint = aws.String(url)
	})
	people := aws.String("people")
	if _, err := client.CreateCollection(ctx,
		&rekognition.CreateCollectionInput{CollectionId: people}); err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile("../internal/engine/reference/pictures/hopper.jpg")
	if err != nil {
		t.Fatal(err)
	}
	indexed, err := client.IndexFaces(ctx, &rekognition.IndexFacesInput{CollectionId: people,
		Image: &types.Image{Bytes: picture}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.SearchFacesByImage(ctx, &rekognition.SearchFacesByImageInput{
		CollectionId: people, Image: &types.Image{Bytes: picture}})
	if err != nil {
		t.Fatal(err)
	}
	if len(indexed.FaceRecords) != 1 || len(found.FaceMatches) != 1 ||
		aws.ToString(found.FaceMatches[0].Face.FaceId) !=
			aws.ToString(indexed.FaceRecords[0].Face.FaceId) {
		t.Errorf("indexed %d faces, and found %d", len(indexed.FaceRecords),
			len(found.FaceMatches))
	}
}

// serve starts the program on a free port, and returns its address once it greets. The server ends
// with the test.
func serve(t *testing.T, program, data string) (url string) {
	t.Helper()
	server := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", data)
	server.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	ready := regexp.MustCompile(`^Recollect (\S+) is ready on (http://\S+) `)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			if m[1] != *version {
				t.Errorf("the server greets as %s, want %s", m[1], *version)
			}
			go func() {
				for lines.Scan() { // the rest must not fill the pipe
				}
			}()
			return m[2]
		}
	}
	t.Fatalf("the server ended without a greeting: %v", lines.Err())
	return ""
}
