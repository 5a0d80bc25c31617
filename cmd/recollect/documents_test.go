package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/server/certtest"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// block is a fenced block of a document.
type block struct {
	line           int
	language, text string
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

func blocks(text string) (found []block) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		found = append(found,
			block{1 + strings.Count(text[:m[0]], "\n"), text[m[2]:m[3]], text[m[4]:m[5]]})
	}
	return found
}

// TestDocuments runs the commands of each document, in their order, as a reader would: blocks of sh
// in one shell, and blocks of Python separately. The named pictures are real ones. The port is not
// 7180, which a running server may use.
func TestDocuments(t *testing.T) {
	needNetworks(t)
	library, err := filepath.Abs(installed)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "recollect"),
		".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(documents) < 5 {
		t.Fatalf("the documents are %v, %v", documents, err)
	}
	for _, document := range documents {
		t.Run(filepath.Base(document), func(t *testing.T) {
			if filepath.Base(document) == "text.md" {
				needText(t)
			}
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			r := documentRun{bin: bin, library: library}
			switch filepath.Base(document) {
			case "quickstart.md": // starts a server itself
			case "cluster.md":
				r.onPostgres(t)
			default:
				r.before = startInDocument
			}
			r.run(t, blocks(string(text)))
		})
	}
}

// documentRun is how the commands of a document are run.
type documentRun struct {
	bin, library string
	before       string // commands before those of the document
	environment  []string
	replace      []string // further texts of the document and what they stand for, in pairs
}

// startInDocument starts a server with an audit log, and waits until it is ready.
const startInDocument = `RECOLLECT_AUDIT_LOG=audit recollect serve > recollect.log 2>&1 &
until curl -sf http://127.0.0.1:7180/health/ready; do sleep 0.2; done
export AWS_SHARED_CREDENTIALS_FILE=$PWD/data/credentials AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:7180
`

// onPostgres has the commands run with a PostgreSQL server, and with a folder that a server without
// it has left.
func (r *documentRun) onPostgres(t *testing.T) {
	t.Helper()
	database, former := postgrestest.Start(t), filepath.Join(t.TempDir(), "former")
	at, err := url.Parse(database.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	r.before = strings.ReplaceAll(startInDocument, "serve", "serve --data "+former) +
		"kill %1 && wait %1\n"
	r.environment = []string{"PATH=" + r.bin + ":" + database.Programs() + ":" + os.Getenv("PATH"),
		"PGHOST=" + at.Hostname(), "PGPORT=" + at.Port(), "PGUSER=" + at.User.Username()}
	r.replace = []string{"recollect@db.example", at.User.Username() + "@" + at.Host,
		"/var/lib/recollect", former, "127.0.0.1:7181", freeAddress(t)}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (r *documentRun) run(t *testing.T, found []block) {
	t.Helper()
	dir := t.TempDir()
	documentPictures(t, dir)
	address := freeAddress(t)
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n" +
		r.before)
	ran := 0
	for _, b := range found {
		text := b.text
		switch b.language {
		case "sh":
		case "python":
			if exec.Command("python3", "-c", "import boto3").Run() != nil {
				t.Logf("line %d: boto3 is not here to run it", b.line)
				continue
			}
			text = "python3 - <<'END_OF_PYTHON'\n" + text + "END_OF_PYTHON\n"
		default:
			continue
		}
		if regexp.MustCompile(`(?m)^\s*aws `).MatchString(text) {
			if _, err := exec.LookPath("aws"); err != nil {
				t.Logf("line %d: the AWS CLI is not here to run it", b.line)
				continue
			}
		}
		ran++
		fmt.Fprintf(&script, "echo '== line %d' >&2\n%s", b.line, text)
	}
	if ran == 0 {
		return
	}
	// A document waits for its servers, also for one that could not start.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c",
		strings.NewReplacer(append(r.replace, "127.0.0.1:7180", address)...).Replace(
			script.String()))
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + r.bin + ":" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"), "RECOLLECT_LISTEN=" + address,
		"RECOLLECT_LIBRARY=" + r.library, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_PAGER="}, r.environment...)
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "recollect.log"))
		t.Errorf("%v\n%s\nthe server said:\n%.3000s", err, out, log)
	}
}

// documentPictures copies pictures to the names in the documents.
func documentPictures(t *testing.T, dir string) {
	t.Helper()
	people(t, filepath.Join(dir, "people"), 0, 6)
	person := filepath.Join(lfw, "images", "Aaron_Peirsol", "Aaron_Peirsol_000")
	for name, from := range map[string]string{
		"anna.jpg": person + "1.jpg", "street.jpg": person + "2.jpg", "passport.jpg": person +
			"3.jpg", "door.jpg": person + "4.jpg",
		"group.jpg": "../../../shared/data/group/cf_016_8.jpg", "people/Anna/1.jpg": person +
			"1.jpg", "people/Anna/2.jpg": person + "2.jpg",
	} {
		copyFile(t, from, filepath.Join(dir, name))
	}
	writeFile(t, filepath.Join(dir, "sign.png"), sign(t))
}

// sign is a picture with two lines of text.
func sign(t *testing.T) []byte {
	t.Helper()
	face, err := letters(48)
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	canvas := image.NewGray(image.Rect(0, 0, 640, 400))
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	for i, line := range []string{"Platform 9", "To the trains"} {
		pen := font.Drawer{Dst: canvas, Src: image.Black, Face: face, Dot: fixed.P(60, 100+200*i)}
		pen.DrawString(line)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, canvas); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// needText skips a test if the model pack text is not installed.
func needText(t *testing.T) {
	t.Helper()
	if _, err := pack.OpenLibrary(installed).Load("text"); err != nil {
		t.Skipf("the model pack text is not installed (make networks-tests): %v", err)
	}
}

// TestMetricsOfDocuments compares the metrics in the documents with those of a server.
func TestMetricsOfDocuments(t *testing.T) {
	authority := certtest.New(t)
	certificate, key := authority.Issue(t, "server", time.Now().Add(time.Hour))
	runServer(t, filepath.Join(t.TempDir(), "data"), "--audit-log", t.TempDir(),
		"--tls-cert", write(t, "tls.crt", string(certificate)),
		"--tls-key", write(t, "tls.key", string(key)))
	t.Setenv("AWS_CA_BUNDLE", write(t, "ca.crt", string(authority.PEM())))
	if _, err := newClient(t).ListCollections(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(
		os.Getenv("AWS_ENDPOINT_URL_REKOGNITION") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	shown, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range regexp.MustCompile(`\b(?:recollect_\w+|process_\w+)`).FindAllString(
		string(text), -1) {
		named++
		// A histogram without observations has a help text only.
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !strings.Contains(string(shown), "\n"+name) &&
			!strings.Contains(string(shown), "# TYPE "+base+" ") &&
			base != "recollect_vision_stage_duration_seconds" {
			t.Errorf("the document names %s, which no server shows", name)
		}
	}
	if named < 5 {
		t.Errorf("the document names %d metrics", named)
	}
}

// TestPackaging checks the packaging files with the tools that read them.
func TestPackaging(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here to check the unit")
	}
	unit, err := os.ReadFile("../../packaging/recollect.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed at the path in the unit.
	path := filepath.Join(t.TempDir(), "recollect.service")
	writeFile(t, path,
		[]byte(strings.ReplaceAll(string(unit), "/usr/local/bin/recollect", "/bin/true")))
	if out, err := exec.Command(program, "verify", "--man=no", path).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "recollect.service") {
		t.Errorf("verify: %v %s", err, out)
	}
	out, err := exec.Command(program, "security", "--offline=true", "--no-pager", "--threshold=20",
		path).CombinedOutput()
	if err != nil {
		t.Errorf("the unit is exposed more than 2.0: %v\n%s", err, out)
	}
}
