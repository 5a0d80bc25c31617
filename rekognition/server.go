// Package rekognition is the front door: it speaks Amazon Rekognition's wire protocol over HTTP.
//
// A request passes these stations, and any of them may answer it with an error: read the signature's claim, look the
// access key up, read the body, verify the signature, find the operation, decode, validate, authorise, run the operation, encode.
// What costs memory or time comes after what is cheap, and nothing is read from a caller who names no known key.
package rekognition

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/iam"
	"github.com/recollect-dev/recollect/sigv4"
	"github.com/recollect-dev/recollect/wire"
)

const (
	// maxBody holds two pictures of 5 MiB in base64, which is the most that an operation takes, and some more.
	maxBody = 16 << 20
	// bodyMemory bounds the bodies of all requests that are served at one moment.
	bodyMemory = 512 << 20
)

// Identities knows who callers are and what they may do.
type Identities interface {
	// AccessKey returns the key with this id, and whether there is one that may sign requests.
	AccessKey(ctx context.Context, id string) (key iam.AccessKey, ok bool, err error)

	// Authorize returns nil if the request is allowed, and an [*iam.DeniedError] if it is not.
	Authorize(ctx context.Context, r *iam.Request) error
}

// Images finds the pictures that callers name instead of sending them.
type Images interface {
	// Get returns an object of at most maxBytes; an empty version stands for the newest. CodeImageTooLarge if it is larger; any
	// error without a code means that the object cannot be had, and its text goes to the log alone.
	Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte, error)
}

// Config is what a [Server] needs. All fields but Images are required.
type Config struct {
	Service    *recollect.Service
	Identities Identities
	Images     Images // nil: no object can be had
	Region     string
	TokenKey   []byte // secret that authenticates pagination tokens
	Log        *slog.Logger
}

// Server answers the API's requests. It is safe for concurrent use.
type Server struct {
	service    *recollect.Service
	identities Identities
	images     Images
	scope      sigv4.Scope
	tokens     tokens
	log        *slog.Logger
	now        func() time.Time
	operations map[string]operation
	bodies     *semaphore.Weighted
}

// New returns a server.
func New(cfg Config) *Server {
	s := &Server{
		service:    cfg.Service,
		identities: cfg.Identities,
		images:     cfg.Images,
		scope:      sigv4.Scope{Region: cfg.Region, Service: wire.SigningName},
		tokens:     tokens{key: cfg.TokenKey},
		log:        cfg.Log,
		now:        time.Now,
		bodies:     semaphore.NewWeighted(bodyMemory),
	}
	if s.images == nil {
		s.images = noImages{}
	}
	s.operations = s.bindings()
	return s
}

// exchange is one request with what becomes known of it on the way.
type exchange struct {
	id        string
	start     time.Time
	principal iam.Principal
	operation string
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{id: uuid.NewString(), start: s.now()}
	w.Header().Set("x-amzn-RequestId", x.id)
	output, err := s.answer(x, w, r)
	var body []byte
	if err == nil {
		if body, err = wire.Encode(output); err != nil {
			err = fmt.Errorf("encode the answer: %w", err)
		}
	}
	status, code := http.StatusOK, ""
	if err != nil {
		fault := faultOf(err)
		status, code, body = fault.status, fault.name, fault.body()
		if errors.Is(err, errBodyUnread) {
			w.Header().Set("Connection", "close")
		}
	}
	w.Header().Set("Content-Type", wire.MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that is gone needs no answer

	attrs := []slog.Attr{
		slog.String("request_id", x.id),
		slog.String("account", x.principal.Account),
		slog.String("operation", x.operation),
		slog.Int("status", status),
		slog.Duration("duration", s.now().Sub(x.start)),
	}
	level := slog.LevelInfo
	if err != nil {
		attrs = append(attrs, slog.String("error_code", code))
		if e, ok := errors.AsType[*recollect.Error](err); ok && e.Err != nil {
			attrs = append(attrs, slog.String("cause", e.Err.Error()))
		}
		if status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", err.Error()))
		}
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// answer takes a request through the stations up to its output.
func (s *Server) answer(x *exchange, w http.ResponseWriter, r *http.Request) (output any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if r.URL.Path != "/" || r.Method != http.MethodPost {
		return nil, unknownOperation(http.StatusNotFound)
	}
	signature, key, err := s.identify(x, r)
	if err != nil {
		return nil, unread(err)
	}
	body, release, err := s.readBody(w, r)
	if err != nil {
		return nil, unread(err)
	}
	defer release()
	if err := signature.Verify(r, sha256.Sum256(body), key.Secret, s.scope, x.start); err != nil {
		return nil, err
	}
	x.principal = key.Principal

	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), wire.TargetPrefix+".")
	described, known := wire.Lookup(name)
	if !ok || !known {
		return nil, unknownOperation(http.StatusBadRequest)
	}
	x.operation = name
	input := described.NewInput()
	if err := wire.Decode(body, input); err != nil {
		return nil, err
	}
	if err := wire.Validate(input); err != nil {
		return nil, err
	}
	realm := recollect.Realm{Account: x.principal.Account, Region: s.scope.Region}
	if err := s.identities.Authorize(r.Context(), s.authorization(x, r, realm, name, input)); err != nil {
		return nil, err
	}
	run, ok := s.operations[name]
	if !ok {
		return nil, recollect.Errorf(recollect.CodeNotImplemented, "Recollect does not implement %s.", name)
	}
	return run(r.Context(), realm, input)
}

// identify reads who claims to have signed the request, and finds the key to verify it with.
func (s *Server) identify(x *exchange, r *http.Request) (*sigv4.Signature, iam.AccessKey, error) {
	signature, err := sigv4.Parse(r)
	if err != nil {
		return nil, iam.AccessKey{}, err
	}
	key, ok, err := s.identities.AccessKey(r.Context(), signature.AccessKeyID)
	if err != nil {
		return nil, iam.AccessKey{}, fmt.Errorf("look up an access key: %w", err)
	}
	// Keys here are long-lived: none comes with a session token.
	if !ok || signature.SessionToken != "" {
		return nil, iam.AccessKey{}, sigv4.UnrecognizedClientError()
	}
	return signature, key, signature.CheckScope(s.scope, x.start)
}

// readBody reads a body of at most maxBody bytes. It waits while the bodies of other requests fill the memory set
// apart for them; release gives this body's part back.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	size := r.ContentLength
	if size > maxBody {
		return nil, nil, errTooLarge
	}
	if size < 0 {
		size = maxBody
	}
	if err := s.bodies.Acquire(r.Context(), size); err != nil {
		return nil, nil, fmt.Errorf("wait for memory: %w", err)
	}
	defer func() {
		if err != nil {
			s.bodies.Release(size)
		}
	}()
	if r.ContentLength >= 0 {
		body = make([]byte, size)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, errTooLarge
	}
	if err != nil {
		return nil, nil, errBrokenBody
	}
	return body, func() { s.bodies.Release(size) }, nil
}
