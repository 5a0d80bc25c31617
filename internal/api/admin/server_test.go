package admin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
)

const account = "123456789012"

var home = recollect.Realm{Account: account, Region: "us-east-1"}

// testServer is a running server with its parts.
type testServer struct {
	url        string
	dir        string
	store      *sqlite.Store
	identities *iam.Service
	activity   *admin.Activity
	log        *bytes.Buffer
	root       iam.AccessKey
}

// open starts a server on a store of its own. change may replace parts of its configuration.
func open(t *testing.T, change ...func(*admin.Config)) *testServer {
	t.Helper()
	return openIn(t, t.TempDir(), change...)
}

func openIn(t *testing.T, dir string, change ...func(*admin.Config)) *testServer {
	t.Helper()
	d := &testServer{dir: dir, activity: new(admin.Activity), log: new(bytes.Buffer)}
	var err error
	if d.store, err = sqlite.Open(t.Context(), d.dir, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	sealer, err := iam.OpenSealer(t.Context(), d.dir, d.store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	if d.root, _, err = iam.RootKey(d.dir, account, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	d.identities = iam.NewService(d.store.Identities(), sealer, d.root)
	cfg := admin.Config{
		Store: d.store,
		Backup: &transfer.Backup{Store: d.store, Database: sqlite.DatabaseName,
			MasterKeyFile: filepath.Join(d.dir, iam.MasterKeyFile),
			Program:       "1.2.3"},
		Exporter: &transfer.Exporter{Store: d.store, Program: "1.2.3"},
		Importer: &transfer.Importer{Store: d.store, Rules: admin.Rules{},
			Models: []transfer.Model{{Version: "1.0", Dimension: 4}},
			Limits: face.DefaultLimits()},
		Identities: d.identities,
		Regions:    []string{"us-east-1", "eu-west-1"},
		Account:    account,
		Data:       d.dir,
		Version:    "1.2.3",
		Models: []admin.Model{{Version: "1.0",
			Calibration: []admin.Calibrated{{Similarity: 80, FalseMatchRate: 1e-3,
				TrueAcceptRate: 0.99}}}},
		Activity: d.activity,
		Log:      slog.New(slog.NewTextHandler(d.log, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	server := httptest.NewServer(admin.New(cfg))
	d.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// user makes a user with a policy, built in or a document, and returns its key.
func (d *testServer) user(t *testing.T, account, name, policy string) iam.AccessKey {
	t.Helper()
	document, ok := iam.BuiltinPolicy(policy)
	if !ok {
		document = iam.PolicyDocument{Name: "own", Document: policy}
	}
	if _, err := d.identities.CreateUser(t.Context(), account, name); err != nil {
		t.Fatal(err)
	}
	if err := d.identities.PutUserPolicy(t.Context(), account, name, document); err != nil {
		t.Fatal(err)
	}
	key, err := d.identities.CreateAccessKey(t.Context(), account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// send signs a request as the SDKs do, and returns the answer.
func (d *testServer) send(t *testing.T, key iam.AccessKey, method, path string, body []byte,
	change ...func(*http.Request)) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+"/recollect/v1/"+path,
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(body)
	if len(body) > 0 {
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(hash[:]))
	}
	d.sign(t, key, r, hash)
	for _, f := range change {
		f(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// sign signs a request whose body has this hash.
func (d *testServer) sign(t *testing.T, key iam.AccessKey, r *http.Request,
	hash [sha256.Size]byte) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, r,
		hex.EncodeToString(hash[:]), "rekognition", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants an error of this type.
func (d *testServer) refused(t *testing.T, exception string, key iam.AccessKey, method, path string,
	body []byte, change ...func(*http.Request)) {
	t.Helper()
	status, answer := d.send(t, key, method, path, body, change...)
	if status < 400 || !strings.HasPrefix(string(answer), `{"__type":"`+exception+`"`) {
		t.Errorf("%s %s answers %d %.300q, want %s", method, path, status, answer, exception)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	d := open(t)
	disabled := d.user(t, account, "disabled", "administrator")
	if err := d.identities.SetAccessKeyActive(t.Context(), disabled.ID, false); err != nil {
		t.Fatal(err)
	}
	wrong := d.root
	wrong.Secret = strings.Repeat("x", 40)
	d.refused(t, "InvalidSignatureException", wrong, "GET", "overview", nil)
	d.refused(t, "UnrecognizedClientException", disabled, "GET", "overview", nil)
	d.refused(t, "AccessDeniedException", d.user(t, account, "anna", "full-access"), "GET",
		"overview", nil)
	d.refused(t, "MissingAuthenticationTokenException", d.root, "GET", "overview", nil,
		func(r *http.Request) { r.Header.Del("Authorization") })
	d.refused(t, "InvalidSignatureException", d.root, "GET", "overview", nil,
		func(r *http.Request) { r.URL.RawQuery = "collection=a" })
	d.refused(t, "ResourceNotFoundException", d.root, "GET", "nothing", nil)
	d.refused(t, "InvalidParameterException", d.root, "DELETE", "overview", nil)
	if status, answer := d.send(t, d.user(t, account, "admin", "administrator"), "GET", "overview",
		nil); status != 200 {
		t.Errorf("an administrator: %d %s", status, answer)
	}
	if strings.Contains(d.log.String(), d.root.Secret) {
		t.Error("the log has a secret")
	}
	if !strings.Contains(d.log.String(), "level=WARN") {
		t.Error("no use of a key without its secret is a warning")
	}
}

func TestOverview(t *testing.T) {
	d := open(t)
	for _, id := range []string{"a", "b"} {
		if _, err := d.store.CreateCollection(t.Context(),
			face.Collection{Realm: home, ID: id, FaceModelVersion: "1.0"}, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		d.activity.Observe(rekognition.Outcome{Operation: "ListFaces", Status: 200,
			Duration: time.Duration(i+1) * time.Millisecond})
	}
	d.activity.Observe(rekognition.Outcome{Operation: "DetectFaces", Status: 500,
		Exception: "InternalServerError"})
	status, answer := d.send(t, d.root, "GET", "overview", nil)
	var got struct {
		Version, Region, DefaultModel string
		Collections, Faces            int64
		Disk                          struct {
			DatabaseBytes, DataBytes, FreeBytes,
			TotalBytes int64
		}
		Memory   struct{ HeapBytes int64 }
		LastHour []struct {
			Operation                       string
			Requests, Errors, Faults        int
			P50Millis, P90Millis, P99Millis float64
			Minutes                         []struct {
				Start    time.Time
				Requests int
			}
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	if got.Version != "1.2.3" || got.Region != "us-east-1" || got.DefaultModel != "1.0" ||
		got.Collections != 2 ||
		got.Disk.DatabaseBytes < 8192 || got.Disk.DataBytes <= got.Disk.DatabaseBytes ||
		got.Disk.TotalBytes < got.Disk.FreeBytes || got.Memory.HeapBytes == 0 {
		t.Errorf("%s", answer)
	}
	if len(got.LastHour) != 2 || got.LastHour[0].Operation != "DetectFaces" ||
		got.LastHour[0].Errors != 1 || got.LastHour[0].Faults != 1 {
		t.Fatalf("%s", answer)
	}
	list := got.LastHour[1]
	for _, q := range []struct{ got, want float64 }{{list.P50Millis, 50}, {list.P90Millis, 90},
		{list.P99Millis, 99}} {
		if q.got < q.want || q.got > q.want*1.2 {
			t.Errorf("a quantile of 1 to 100 ms is %v, want %v to a fifth more", q.got, q.want)
		}
	}
	if list.Requests != 100 || list.Errors != 0 || len(list.Minutes) == 0 ||
		time.Since(list.Minutes[0].Start) > 2*time.Minute {
		t.Errorf("%+v", list)
	}
}

// TestModels: whoever has a key may know what similarities stand for.
func TestModels(t *testing.T) {
	d := open(t)
	status, answer := d.send(t, d.user(t, account, "one", "s3-read"), "GET", "models", nil)
	const want = `{"Models":[{"Version":"1.0","Calibration":[{"Similarity":80,` +
		`"FalseMatchRate":0.001,"TrueAcceptRate":0.99}]}],"DefaultModel":"1.0","QualityFilters":[`
	if status != 200 || !strings.HasPrefix(string(answer), want) {
		t.Errorf("%d %s", status, answer)
	}
	var got struct {
		QualityFilters []struct {
			Name   face.QualityFilter
			Bounds face.QualityBounds
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got.QualityFilters) != 4 {
		t.Fatalf("%v: %s", err, answer)
	}
	for _, f := range got.QualityFilters {
		if want, ok := f.Name.Bounds(); !ok || f.Bounds != want || f.Bounds.Side == 0 {
			t.Errorf("%s has %+v, want %+v", f.Name, f.Bounds, want)
		}
	}
}

func TestPermissions(t *testing.T) {
	d := open(t, func(c *admin.Config) { c.Thumbnails = true })
	one := d.user(t, account, "one", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"rekognition:ListCollections","Resource":"*"},
		{"Effect":"Allow","Action":["rekognition:ListFaces","recollect:ExportCollection"],
			"Resource":"arn:aws:rekognition:*:*:collection/mine"}]}`)
	allowed := func(key iam.AccessKey, query string) (everywhere, collection []string) {
		t.Helper()
		status, answer := d.send(t, key, "GET", "permissions"+query, nil)
		var got struct {
			Arn        string
			Allowed    []string
			Collection struct{ Allowed []string }
		}
		if err := json.Unmarshal(answer, &got); err != nil || status != 200 ||
			got.Arn != key.Principal.ARN {
			t.Fatalf("%d %s: %v", status, answer, err)
		}
		return got.Allowed, got.Collection.Allowed
	}
	everywhere, collection := allowed(one, "?collection=mine")
	if !slices.Equal(everywhere, []string{"rekognition:ListCollections"}) ||
		!slices.Equal(collection,
			[]string{"recollect:ExportCollection", "rekognition:ListCollections",
				"rekognition:ListFaces"}) {
		t.Errorf("on everything %v, on its own collection %v", everywhere, collection)
	}
	if _, other := allowed(one, "?collection=other"); !slices.Equal(other,
		[]string{"rekognition:ListCollections"}) {
		t.Errorf("on another collection: %v", other)
	}
	if everywhere, _ := allowed(d.root, ""); len(everywhere) != 75+len(admin.Actions()) {
		t.Errorf("root may do %d things", len(everywhere))
	}
	foreign := d.user(t, "210987654321", "foreign", "administrator")
	if everywhere, _ := allowed(foreign, ""); slices.Contains(everywhere, admin.Backup) ||
		!slices.Contains(everywhere, admin.GetOverview) {
		t.Errorf("another account's administrator may do %v", everywhere)
	}
	d.refused(t, "ValidationException", one, "GET", "permissions?collection=a%20b", nil)
}
