//go:build unix

// Package cluster tests real servers that share a PostgreSQL database: what happens when their
// processes are killed or stopped, or the network between them and the database stalls.
package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// long has the tests last as long as make test-cluster wants.
var long = flag.Bool("long", false, "the long forms of the tests")

const (
	rootID     = "AKIACONFORMANCETESTS"
	rootSecret = "conformance/tests+only/not-a-secret-0123"

	// answerWithin is the longest time that a request may take, whatever happens to the database: a
	// server's own limit is 20 seconds, and the machine of the test may be slow.
	answerWithin = 40 * time.Second

	// startWithin is how long a server may take until it is ready, on a slow machine.
	startWithin = 2 * time.Minute
)

// program builds the server's program and returns its path.
func program(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root(t), "lib", "recollect", "onnxruntime")); err != nil {
		t.Skip("the networks are not installed: run make networks")
	}
	path := filepath.Join(t.TempDir(), "recollect")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/recollect")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// root is the folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// node is a server's process.
type node struct {
	program, data, masterKey, store string
	address                         string // host:port, also after a restart
	shell                           *exec.Cmd
	stdin                           io.Closer // its end kills the process
	pid                             int
	log                             *os.File
	api                             *rekognition.Client
}

// masterKey writes a master key for all nodes.
func masterKey(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(t.TempDir(), "master-key")
	if err := os.WriteFile(file, []byte("recollect-master-key-1:"+
		base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// startNodes starts nodes on the stores at the same moment, and returns once all are ready.
func startNodes(t *testing.T, program string, stores ...string) []*node {
	t.Helper()
	key := masterKey(t)
	nodes := make([]*node, len(stores))
	for i, store := range stores {
		n := &node{program: program, data: t.TempDir(), masterKey: key, store: store,
			address: freeAddress(t)}
		var err error
		if n.log, err = os.Create(filepath.Join(n.data, "log")); err != nil {
			t.Fatal(err)
		}
		n.api = rekognition.New(rekognition.Options{Region: "us-east-1",
			BaseEndpoint: aws.String("http://" + n.address), RetryMaxAttempts: 1,
			HTTPClient:  &http.Client{Timeout: answerWithin},
			Credentials: credentials.NewStaticCredentialsProvider(rootID, rootSecret, "")})
		nodes[i] = n
		t.Cleanup(func() {
			n.kill()
			if t.Failed() {
				n.showLog(t, i)
			}
			_ = n.log.Close() // it was only read
		})
		n.start(t)
	}
	for _, n := range nodes {
		n.waitUntilReady(t)
	}
	return nodes
}

// showLog shows the end of the log, without the requests that were answered.
func (n *node) showLog(t *testing.T, i int) {
	t.Helper()
	text, err := os.ReadFile(n.log.Name())
	if err != nil {
		t.Log(err)
		return
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "status=200") {
			lines = append(lines, line)
		}
	}
	t.Logf("the end of the log of node %d:\n%s", i,
		strings.Join(lines[max(0, len(lines)-30):], ""))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the process. A shell waits for the end of its standard input, so that the process
// ends also when that of the test is killed.
func (n *node) start(t *testing.T) {
	t.Helper()
	pidFile := filepath.Join(n.data, "pid")
	_ = os.Remove(pidFile) // of an earlier process, if there was one
	n.shell = exec.Command("/bin/sh", "-c",
		`"$0" "$@" </dev/null & echo $! >"$PID_FILE.new"; mv "$PID_FILE.new" "$PID_FILE"; `+
			`read -r _; kill -KILL $!; wait`,
		n.program, "serve", "--listen", n.address, "--data", n.data, "--store", n.store,
		"--master-key-file", n.masterKey, "--library", filepath.Join(root(t), "lib", "recollect"))
	n.shell.Env = append(os.Environ(), "RECOLLECT_ROOT_ACCESS_KEY_ID="+rootID,
		"RECOLLECT_ROOT_SECRET_ACCESS_KEY="+rootSecret, "PID_FILE="+pidFile)
	n.shell.Stdout, n.shell.Stderr = n.log, n.log
	stdin, err := n.shell.StdinPipe()
	if err == nil {
		err = n.shell.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.stdin = stdin
	waitFor(t, "a process", startWithin, func() bool {
		text, err := os.ReadFile(pidFile)
		if err == nil {
			n.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
}

// kill kills the process, if it runs.
func (n *node) kill() {
	if n.shell == nil || n.shell.Process == nil {
		return
	}
	if n.pid != 0 {
		_ = syscall.Kill(n.pid, syscall.SIGKILL) // it may have ended
	}
	_ = n.stdin.Close()
	_ = n.shell.Wait() // that it was killed
	n.shell, n.pid = nil, 0
}

// pause stops the process where it is, until resume or kill.
func (n *node) pause(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(n.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func (n *node) resume(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(n.pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// ready is the status of the health check; 0 if there is no answer.
func (n *node) ready() int {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get("http://" + n.address + "/health/ready")
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func (n *node) waitUntilReady(t *testing.T) {
	t.Helper()
	waitFor(t, "a node that is ready", startWithin,
		func() bool { return n.ready() == http.StatusOK })
}

func waitFor(t *testing.T, what string, within time.Duration, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within %v", what, within)
		}
	}
}

// stores are the URLs of one database for each node.
func stores(database *postgrestest.Server, t *testing.T, n int) []string {
	t.Helper()
	url := database.NewDatabase(t)
	all := make([]string, n)
	for i := range all {
		all[i] = url
	}
	return all
}

const collection = "people"

func createCollection(t *testing.T, n *node) {
	t.Helper()
	if _, err := n.api.CreateCollection(t.Context(),
		&rekognition.CreateCollectionInput{CollectionId: aws.String(collection)}); err != nil {
		t.Fatal(err)
	}
}

// portrait is a picture of one face.
func portrait(t *testing.T) []byte {
	t.Helper()
	picture, err := os.ReadFile(filepath.Join(root(t), "internal", "engine", "reference",
		"pictures", "hopper.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// index indexes the picture under an external id, and returns the id of its face.
func (n *node) index(ctx context.Context, picture []byte, external string) (string, error) {
	answer, err := n.api.IndexFaces(ctx, &rekognition.IndexFacesInput{
		CollectionId: aws.String(collection), ExternalImageId: &external, MaxFaces: aws.Int32(1),
		Image: &types.Image{Bytes: picture}})
	if err != nil {
		return "", err
	}
	if len(answer.FaceRecords) != 1 {
		return "", fmt.Errorf("%d faces were indexed", len(answer.FaceRecords))
	}
	return aws.ToString(answer.FaceRecords[0].Face.FaceId), nil
}

// search searches for the picture and returns the external ids of what it finds, by face id.
func (n *node) search(ctx context.Context, picture []byte) (map[string]string, error) {
	answer, err := n.api.SearchFacesByImage(ctx, &rekognition.SearchFacesByImageInput{
		CollectionId: aws.String(collection), Image: &types.Image{Bytes: picture},
		MaxFaces: aws.Int32(4096), FaceMatchThreshold: aws.Float32(80)})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, m := range answer.FaceMatches {
		found[aws.ToString(m.Face.FaceId)] = aws.ToString(m.Face.ExternalImageId)
	}
	return found, nil
}
