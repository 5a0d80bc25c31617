package sts_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/go-jose/go-jose/v4"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/sts"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/oidc"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

const (
	account   = "123456789012"
	cameraARN = "arn:aws:iam::" + account + ":role/camera"
	issuer    = "https://id.example.com/realms/staff"
	provider  = "id.example.com/realms/staff"
	allowAll  = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
)

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// outcomes keeps what a server reports.
type outcomes struct {
	mu  sync.Mutex
	all []rekognition.Outcome
}

func (o *outcomes) Observe(outcome rekognition.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, outcome)
}

// testServer is a running server with the user anna, who may assume roles, and an identity
// provider.
type testServer struct {
	url        string
	identities *iam.Service
	root, anna iam.AccessKey
	key        *ecdsa.PrivateKey // of the identity provider
	log        *buffer
	outcomes   *outcomes
	guard      *authn.Guard
	records    *records
}

func open(t testing.TB) *testServer {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	sealer, err := iam.OpenSealer(t.Context(), dir, store.Identities())
	if err != nil {
		t.Fatal(err)
	}
	d := &testServer{log: new(buffer), outcomes: new(outcomes),
		guard: authn.NewGuard(slog.New(slog.DiscardHandler)), records: new(records)}
	d.root = iam.AccessKey{ID: "AKIAROOT000000000000", Secret: "the secret of the root",
		Principal: iam.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root",
			UserID: account}}
	d.identities = iam.NewService(store.Identities(), sealer, d.root)
	d.anna = d.user(t, "anna", `{"Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`)

	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{KeyID: "k", Key: d.key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"keys.json": string(keys),
		"issuers.json": `{"issuers":[{"issuer":"` + issuer +
			`","audiences":["recollect"],"jwks":"keys.json"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuers, err := oidc.Load(filepath.Join(dir, "issuers.json"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sts.New(sts.Config{
		Identities: d.identities,
		Providers:  issuers,
		Regions:    []string{"eu-west-1"},
		Log:        slog.New(slog.NewJSONHandler(d.log, nil)),
		Observer:   d.outcomes,
		Guard:      d.guard,
		Trail:      trail.New(d.records, "eu-west-1"),
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *testServer) user(t testing.TB, name string, policies ...string) iam.AccessKey {
	t.Helper()
	if _, err := d.identities.CreateUser(t.Context(), account, name); err != nil {
		t.Fatal(err)
	}
	for i, p := range policies {
		if err := d.identities.PutUserPolicy(t.Context(), account, name,
			iam.PolicyDocument{Name: fmt.Sprint("p", i), Document: p}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := d.identities.CreateAccessKey(t.Context(), account, name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *testServer) role(t testing.TB, name, trust string, policies ...string) iam.Role {
	t.Helper()
	r := iam.Role{Account: account, Name: name, TrustPolicy: trust, MaxSession: 2 * time.Hour}
	for i, p := range policies {
		r.Policies = append(r.Policies,
			iam.PolicyDocument{Name: fmt.Sprint("p", i), Document: p})
	}
	r, err := d.identities.CreateRole(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trusting(principal, action, more string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal +
		`,"Action":` + action + more + `}}`
}

func trustingAccount() string {
	return trusting(`{"AWS":"`+account+`"}`, `["sts:AssumeRole","sts:TagSession"]`, "")
}

func (d *testServer) client(key iam.AccessKey) *sdk.Client { return d.clientWith(key, "") }

func (d *testServer) clientWith(key iam.AccessKey, token string) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &d.url,
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, token),
		Retryer:      aws.NopRetryer{},
	})
}

func (d *testServer) session(c *types.Credentials) *sdk.Client {
	return d.clientWith(iam.AccessKey{ID: *c.AccessKeyId, Secret: *c.SecretAccessKey},
		*c.SessionToken)
}

// opened is the principal that the server finds in temporary credentials.
func (d *testServer) opened(t testing.TB, c *types.Credentials) iam.Principal {
	t.Helper()
	key, err := d.identities.SessionKey(t.Context(), *c.AccessKeyId, *c.SessionToken)
	if err != nil || key.Secret != *c.SecretAccessKey {
		t.Fatalf("the credentials are of no use: %v", err)
	}
	return key.Principal
}

func wantError(t testing.TB, doing string, err error, code, message string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		t.Errorf("%s: %v, want %s with %q", doing, err, code, message)
	}
}
