// Package sts serves the operations of AWS's Security Token Service that issue temporary
// credentials and tell callers who they are, so that AWS_ENDPOINT_URL_STS can name the server.
//
// The protocol is AWS's query protocol: parameters in a form-encoded body or in the query string,
// answers and errors in XML, version 2011-06-15. A request passes these steps, cheap ones first:
// admit it, read the signature and look up the access key, read the body, verify the signature,
// find the operation, validate, authorize, run the operation. AssumeRoleWithWebIdentity is not
// signed; the rate of such requests is bounded by the client's network before their bodies are
// read.
package sts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/oidc"
	"github.com/recollect-dev/recollect/internal/tracing"
)

const (
	signingName = "sts"
	version     = "2011-06-15"
	namespace   = "https://sts.amazonaws.com/doc/2011-06-15/"

	// globalRegion is what clients of the global endpoint sign for, wherever they are.
	globalRegion = "us-east-1"

	// maxRequests bounds the requests that are served at one moment.
	maxRequests = 256
	// maxOfNetwork bounds those of one client's network whose callers are not known yet.
	maxOfNetwork = 64
	// maxBody holds the largest token of an identity provider and the largest policy and tags of a
	// session, escaped.
	maxBody = 64 << 10
	// bodyTime is how long a body may take to arrive.
	bodyTime = 10 * time.Second
)

// Identities finds access keys, decides who may assume roles, and begins sessions.
type Identities interface {
	authn.Keys

	// AuthorizeRole decides about an action on the role whose ARN is r.Resource, and returns the
	// role. [*iam.DeniedError] if it is not allowed, or if there is no such role.
	AuthorizeRole(ctx context.Context, r *iam.Request) (iam.Role, error)

	// BeginUserSession returns a temporary key for the owner of a long-lived one.
	BeginUserSession(ctx context.Context, caller iam.AccessKey,
		lasts time.Duration) (iam.TemporaryKey, error)

	// BeginRoleSession returns a temporary key for a role. A [*iam.PolicyError] if it is the text
	// of the session's policy, [iam.ErrSessionTooLarge].
	BeginRoleSession(ctx context.Context, r iam.RoleSession) (iam.TemporaryKey, error)
}

// Providers verifies the tokens of identity providers.
type Providers interface {
	// Verify returns the identity that a token proves. [oidc.ErrInvalid], [oidc.ErrExpired],
	// [oidc.ErrUnreachable].
	Verify(ctx context.Context, token string) (*oidc.Identity, error)
}

// Config is what a [Server] needs. All fields are required but Observer and Clients.
type Config struct {
	Identities Identities
	Providers  Providers
	Regions    []string // that signatures may be for, beside that of the global endpoint
	Log        *slog.Logger

	Observer rekognition.Observer // nil: none
	Clients  clientaddr.Resolver  // the zero value trusts no proxy
	Guard    *authn.Guard         // nil: failed signatures are not limited
	Trail    *trail.Trail         // nil: there is no audit log
}

// Server answers the requests. It is safe for concurrent use.
type Server struct {
	Config
	callers    *authn.Authenticator
	requests   *semaphore.Weighted
	networks   *networks
	now        func() time.Time
	operations map[string]operation
}

// operation is one operation of the service.
type operation struct {
	unsigned bool // a request may come without a signature
	run      func(ctx context.Context, c *call) (result any, err error)
}

// call is a request whose caller is known, unless the operation is one that needs none.
type call struct {
	r      *http.Request
	at     time.Time
	form   form
	caller authn.Caller // without a signature it has only the client

	identity *oidc.Identity // of the token, once it is verified; nil: none
}

// New returns a server.
func New(cfg Config) *Server {
	regions := slices.Clone(cfg.Regions)
	if !slices.Contains(regions, globalRegion) {
		regions = append(regions, globalRegion)
	}
	s := &Server{
		Config:   cfg,
		callers:  authn.New(cfg.Identities, signingName, regions, cfg.Clients).Guarded(cfg.Guard),
		requests: semaphore.NewWeighted(maxRequests),
		networks: newNetworks(),
		now:      time.Now,
	}
	s.operations = map[string]operation{
		"GetCallerIdentity":         {run: s.getCallerIdentity},
		"GetSessionToken":           {run: s.getSessionToken},
		"AssumeRole":                {run: s.assumeRole},
		"AssumeRoleWithWebIdentity": {unsigned: true, run: s.assumeRoleWithWebIdentity},
	}
	return s
}

// Takes reports whether a request is for this service: by the scope of its signature, or, where it
// has none, by its form.
func Takes(r *http.Request) bool {
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		_, scope, _ := strings.Cut(authorization, "Credential=")
		scope, _, _ = strings.Cut(scope, ",")
		parts := strings.Split(scope, "/")
		return len(parts) >= 2 && parts[len(parts)-2] == signingName
	}
	if r.URL.Path != "/" || r.Header.Get("X-Amz-Target") != "" {
		return false
	}
	if r.Method == http.MethodGet {
		return r.URL.Query().Has("Action")
	}
	return r.Method == http.MethodPost && isForm(r)
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}

// Unavailable answers a request for this service while the server is starting or stopping.
func Unavailable(w http.ResponseWriter) {
	writeXML(w, http.StatusServiceUnavailable, errUnavailable.envelope(uuid.NewString()))
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.Begin(w.Header(), s.callers.Client(r), s.now())
	w.Header().Set("Cache-Control", "no-store")
	c := &call{r: r, at: x.Start, caller: authn.Caller{Client: x.Client}}
	result, err := s.serve(w, r, x, c)
	err = s.record(r, x, c, result, err)
	status, code := http.StatusOK, ""
	if err != nil {
		f := faultOf(err)
		status, code = f.status, f.code
		if errors.Is(err, exchange.ErrUnread) {
			exchange.CloseConnection(w, r)
		}
		writeXML(w, status, f.envelope(x.ID))
	} else {
		writeXML(w, status, &answer{
			XMLName:   xml.Name{Space: namespace, Local: x.Operation + "Response"},
			Result:    result,
			RequestID: x.ID,
		})
	}
	tracing.Name(r.Context(), "SecurityTokenService", x.Operation, code)
	duration := s.now().Sub(x.Start)
	if s.Observer != nil {
		s.Observer.Observe(rekognition.Outcome{Operation: x.Operation, Status: status,
			Exception: code, Rejected: errors.Is(err, errThrottled), Duration: duration})
	}
	end := exchange.Ending{Status: status, Code: code, Err: err, Duration: duration}
	if errors.Is(err, oidc.ErrUnreachable) {
		end.Failure, end.Cause = true, err
	}
	x.Log(r.Context(), s.Log, "sts", end)
}

// serve takes a request through all steps.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, x *exchange.Exchange,
	c *call) (result any, err error) {
	defer exchange.Recover(&err)
	if !s.requests.TryAcquire(1) {
		return nil, exchange.Unread(errThrottled)
	}
	defer s.requests.Release(1)
	if r.URL.Path != "/" || r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, exchange.Unread(errNoOperation(""))
	}
	var claim *authn.Claim
	if r.Header.Get("Authorization") != "" {
		claim, err = s.callers.Read(r, x.Start)
		x.KeyID = claim.KeyID()
		if err != nil {
			return nil, exchange.Unread(err)
		}
	} else if !s.networks.allow(c.caller.Client.Address, x.Start) {
		return nil, exchange.Unread(errThrottled)
	}
	body, err := s.readBody(w, r, c.caller.Client)
	if err != nil {
		return nil, err
	}
	if claim != nil {
		if x.Caller, err = claim.Verify(r, sha256.Sum256(body)); err != nil {
			return nil, err
		}
		c.caller = x.Caller
	}
	if c.form, err = formOf(r, body); err != nil {
		return nil, err
	}
	name := c.form.text("Action")
	op, ok := s.operations[name]
	if claim == nil && !op.unsigned {
		return nil, errNoToken
	}
	switch {
	case !ok:
		return nil, errNoOperation(name)
	case c.form.text("Version") != version:
		return nil, errNoVersion(c.form.text("Version"))
	}
	x.Operation = name
	return op.run(r.Context(), c)
}

// readBody reads the body as it was sent, of a client's network that does not send too many at
// once.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request,
	client authn.Client) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, exchange.Unread(errTooLarge)
	}
	leave, ok := s.networks.enter(client.Address)
	if !ok {
		return nil, exchange.Unread(errThrottled)
	}
	defer leave()
	conn := http.NewResponseController(w)
	// A connection without deadlines is read until the server's own time is over.
	_ = conn.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = conn.SetReadDeadline(time.Time{})
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, exchange.Unread(errTooLarge)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, exchange.Unread(errBodyTimeout)
	}
	if err != nil {
		return nil, exchange.Unread(errBrokenBody)
	}
	return body, nil
}

// answer is the envelope of a result.
type answer struct {
	XMLName   xml.Name
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func writeXML(w http.ResponseWriter, status int, value any) {
	var b bytes.Buffer
	if err := xml.NewEncoder(&b).Encode(value); err != nil {
		// Results are structs of texts, which can be encoded.
		status = http.StatusInternalServerError
		b.Reset()
	}
	exchange.Write(w, "text/xml", status, b.Bytes())
}
