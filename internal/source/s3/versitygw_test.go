package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	gatewayKey    = "AKIDEXAMPLE"
	gatewaySecret = "a secret of the test"
)

// startGateway starts a real S3 server with versioning on an empty folder and returns its URL.
func startGateway(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../../../.cache/bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("the S3 server of this test is missing; run: make versitygw")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	base := t.TempDir()
	for _, dir := range []string{"root", "meta", "versions", "iam"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	gateway := exec.Command(program, "--port", address, "--access", gatewayKey, "--secret",
		gatewaySecret, "--region", "eu-west-1", "--quiet", "--keep-alive",
		"--iam-dir", filepath.Join(base, "iam"),
		"posix", "--sidecar", filepath.Join(base, "meta"), "--versioning-dir",
		filepath.Join(base, "versions"), filepath.Join(base, "root"))
	gateway.Stdout, gateway.Stderr = &log, &log
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gateway.Process.Kill()
		gateway.Wait()
		if t.Failed() {
			t.Logf("the S3 server said: %s", log.String())
		}
	})
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the S3 server does not listen")
	return ""
}

func TestRealServer(t *testing.T) {
	url := startGateway(t)
	cfg := Config{Endpoint: url, Region: "eu-west-1", AccessKeyID: gatewayKey,
		SecretAccessKey: gatewaySecret, PathStyle: true, Timeout: 10 * time.Second}
	c := newClient(t, cfg)
	ctx := t.Context()

	// What the operator has put there, by the SDK's means.
	if _, err := c.api.CreateBucket(ctx,
		&s3.CreateBucketInput{Bucket: aws.String("photos"),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{
				LocationConstraint: "eu-west-1"}}); err != nil {
		t.Fatal(err)
	}
	put := func(key string, body []byte) string {
		t.Helper()
		out, err := c.api.PutObject(ctx,
			&s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String(key),
				Body: bytes.NewReader(body)})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
		return aws.ToString(out.VersionId)
	}
	picture := bytes.Repeat([]byte("picture "), 1<<20) // 8 MiB
	for key, body := range map[string][]byte{
		"a.jpg":                   picture,
		"2026/Zoë & co (1)+?.jpg": []byte("unicode"),
		"日本/%41 #;=.png":          []byte("escapes"),
		"empty":                   {},
	} {
		put(key, body)
		got, err := c.Get(ctx, "photos", key, "", 8<<20)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q: %d bytes, %v", key, len(got), err)
		}
	}
	for prefix, want := range map[string][]string{
		"":      {"2026/Zoë & co (1)+?.jpg", "a.jpg", "empty", "日本/%41 #;=.png"},
		"2026/": {"2026/Zoë & co (1)+?.jpg"},
		"none":  nil,
	} {
		var keys []string
		if err := c.List(ctx, "photos", prefix, func(o Object) error {
			keys = append(keys, o.Key)
			if o.Key == "a.jpg" && (o.Bytes != 8<<20 || time.Since(o.Modified).Abs() > time.Hour) {
				t.Errorf("the list says %+v", o)
			}
			return nil
		}); err != nil || !slices.Equal(keys, want) {
			t.Errorf("keys that begin with %q: %q, %v", prefix, keys, err)
		}
	}
	if err := c.List(ctx, "nobucket", "", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("the list of a bucket that is not there: %v", err)
	}
	if _, err := c.Get(ctx, "photos", "a.jpg", "", 8<<20-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte too large: %v", err)
	}

	ranges, err := c.Open(ctx, "photos", "a.jpg", "")
	if err != nil || ranges.Size() != 8<<20 {
		t.Fatalf("open: %v, %v", ranges, err)
	}
	part := make([]byte, 1_000_003)
	for _, off := range []int64{0, 5, 8<<20 - 1_000_003} {
		if n, err := ranges.ReadAt(ctx, part, off); n != len(part) || err != nil ||
			!bytes.Equal(part, picture[off:][:len(part)]) {
			t.Errorf("the range at %d: %d bytes, %v", off, n, err)
		}
	}
	put("a.jpg", append([]byte("!"), picture[1:]...))
	if _, err := ranges.ReadAt(ctx, part, 0); !errors.Is(err, ErrChanged) {
		t.Errorf("the range of an object that was replaced: %v", err)
	}
	put("a.jpg", picture)

	if _, err := c.api.PutBucketVersioning(ctx,
		&s3.PutBucketVersioningInput{Bucket: aws.String("photos"),
			VersioningConfiguration: &types.VersioningConfiguration{
				Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	first, second := put("versioned", []byte("first")), put("versioned", []byte("second"))
	if first == "" || first == second {
		t.Fatalf("versions %q and %q", first, second)
	}
	for version, want := range map[string]string{first: "first", second: "second", "": "second"} {
		if got, err := c.Get(ctx, "photos", "versioned", version, 100); err != nil ||
			string(got) != want {
			t.Errorf("version %q: %q, %v", version, got, err)
		}
	}
	if ranges, err = c.Open(ctx, "photos", "versioned", first); err != nil {
		t.Fatal(err)
	}
	if n, err := ranges.ReadAt(ctx, part[:5], 0); err != nil || string(part[:n]) != "first" {
		t.Errorf("the range of the first version: %q, %v", part[:n], err)
	}
	if _, err := c.api.DeleteObject(ctx,
		&s3.DeleteObjectInput{Bucket: aws.String("photos"),
			Key: aws.String("versioned")}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a key that is not there":      get(c, "photos", "none.jpg", ""),
		"a bucket that is not there":   get(c, "nobucket", "a.jpg", ""),
		"a version that is not there":  get(c, "photos", "versioned", "01HZZZZZZZZZZZZZZZZZZZZZZZ"),
		"an object that was deleted":   get(c, "photos", "versioned", ""),
		"a key that is another's path": get(c, "photos", "a.jpg/b", ""),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, alter := range map[string]func(*Config){
		"a wrong secret": func(c *Config) { c.SecretAccessKey = "another secret" },
		"a wrong key id": func(c *Config) { c.AccessKeyID = "AKIDOTHER" },
		"no key":         func(c *Config) { c.AccessKeyID, c.SecretAccessKey = "", "" },
	} {
		altered := cfg
		alter(&altered)
		if err := get(newClient(t, altered), "photos", "a.jpg", ""); !errors.Is(err, ErrDenied) ||
			strings.Contains(fmt.Sprint(err), gatewaySecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	altered := cfg
	altered.Region = "us-west-2"
	if err := get(newClient(t, altered), "photos", "a.jpg", ""); err == nil {
		t.Error("a wrong region is accepted")
	}
}

func get(c *Client, bucket, key, version string) error {
	_, err := c.Get(context.Background(), bucket, key, version, 15<<20)
	return err
}

// What was put is what is read, and a second put replaces the first.
func TestPut(t *testing.T) {
	url := startGateway(t)
	cfg := Config{Endpoint: url, Region: "eu-west-1", AccessKeyID: gatewayKey,
		SecretAccessKey: gatewaySecret, PathStyle: true}
	c := newClient(t, cfg)
	if _, err := c.api.CreateBucket(t.Context(),
		&s3.CreateBucketInput{Bucket: aws.String("records")}); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"one", "", strings.Repeat("two", 1<<20)} {
		if err := c.Put(t.Context(), "records", "audit/a.jsonl",
			strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(t.Context(), "records", "audit/a.jsonl", "", 10<<20)
		if err != nil || string(got) != content {
			t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
		}
	}
	cfg.SecretAccessKey = "another"
	if err := newClient(t, cfg).Put(t.Context(), "records", "a",
		strings.NewReader("x")); !errors.Is(err, ErrDenied) {
		t.Errorf("with a wrong secret: %v", err)
	}
	if err := c.Put(t.Context(), "records", "../a", strings.NewReader("x")); err == nil {
		t.Error("a key with two dots was accepted")
	}
}
