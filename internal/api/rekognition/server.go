// Package rekognition serves Amazon Rekognition's API over HTTP.
//
// A request passes these steps, and any of them may answer it with an error: admit it, read the
// signature's claim, look up the access key, read the body, verify the signature, find the
// operation, count the call, decode, validate, authorize, run the operation, encode. Cheap steps
// come before those that cost memory or time, and the body of a request without a known access key
// is not read.
package rekognition

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Identities finds access keys and authorizes requests.
type Identities interface {
	// AccessKey returns the key with this id, and whether there is one that may sign requests.
	AccessKey(ctx context.Context, id string) (key iam.AccessKey, ok bool, err error)

	// SessionKey returns the temporary key with this id and this session token.
	// [iam.ErrNoSession], [iam.ErrSessionExpired].
	SessionKey(ctx context.Context, id, token string) (iam.AccessKey, error)

	// Authorize returns nil if the request is allowed, and an [*iam.DeniedError] if it is not.
	Authorize(ctx context.Context, r *iam.Request) error
}

// Images reads the pictures that requests name instead of containing them.
type Images interface {
	// Get returns an object of at most maxBytes; an empty version stands for the newest.
	// CodeImageTooLarge if it is larger; any error without a code means that the object cannot be
	// read, and its text is only logged.
	Get(ctx context.Context, bucket, name, version string, maxBytes int64) ([]byte, error)
}

// Config is what a [Server] needs. The fields up to Log are required, except Images.
type Config struct {
	Service    *face.Service
	Identities Identities
	Images     Images   // nil: no object can be read
	Regions    []string // that signatures may be for; nothing of one is visible in another
	TokenKey   []byte   // secret that authenticates pagination tokens
	Log        *slog.Logger

	Observer    Observer // nil: none
	Rates       Rates    // the zero value limits nothing
	MaxRequests int      // served at one moment; 0: 256 for each core
	// of them, those whose operations run networks, a large body counting for several; 0: 128 for
	// each core
	MaxPictures int

	Clients clientaddr.Resolver // the zero value trusts no proxy

	SharedRates SharedBuckets // nil: each server counts its own calls
}

// Server answers the API's requests. It is safe for concurrent use.
type Server struct {
	service    *face.Service
	identities Identities
	images     Images
	callers    *authn.Authenticator
	tokens     tokens
	log        *slog.Logger
	observer   Observer
	now        func() time.Time
	operations map[string]operation
	own        []ownOperation
	admission  *admission
	limiter    *limiter
	bodies     *semaphore.Weighted
	uploads    *uploads
	compressor *compressor
}

// New returns a server.
func New(cfg Config) *Server {
	s := &Server{
		service:    cfg.Service,
		identities: cfg.Identities,
		images:     cfg.Images,
		callers:    authn.New(cfg.Identities, wire.SigningName, cfg.Regions, cfg.Clients),
		tokens:     tokens{key: cfg.TokenKey},
		log:        cfg.Log,
		observer:   cfg.Observer,
		now:        time.Now,
		admission:  newAdmission(cfg.MaxRequests, cfg.MaxPictures),
		limiter:    newLimiter(cfg.Rates, cfg.SharedRates),
		bodies:     semaphore.NewWeighted(bodyMemory),
		compressor: newCompressor(),
	}
	s.uploads = newUploads(s.admission.maxRequests, bodyMemory)
	if s.observer == nil {
		s.observer = nobody{}
	}
	if s.images == nil {
		s.images = noImages{}
	}
	s.operations = make(map[string]operation)
	for _, op := range s.declarations() {
		// A test holds every declaration to check; one that fails it is rejected when it is called.
		if op.check() == nil {
			s.operations[op.name] = op
		}
	}
	for _, op := range s.ownOperations() {
		if op.check() == nil {
			s.own = append(s.own, op)
		}
	}
	return s
}

// exchange is one request with what the steps have found out about it.
type exchange struct {
	id        string
	conn      connection
	start     time.Time
	keyID     string       // that the request names, whether its signature is valid or not
	caller    authn.Caller // zero before the signature is verified
	operation string
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{id: uuid.NewString(), conn: http.NewResponseController(w),
		start: s.now()}
	w.Header().Set("x-amzn-RequestId", x.id)
	var body []byte
	err := rejectUnread(r, errSlowDown)
	if s.admission.requests.TryAcquire(1) {
		defer s.admission.requests.Release(1)
		body, err = s.serve(x, w.Header(), r)
	}
	status, code := http.StatusOK, ""
	if err != nil {
		fault := faultOf(err)
		status, code, body = fault.status, fault.name, fault.body()
		if errors.Is(err, errBodyUnread) {
			CloseConnection(w, r)
		}
	}
	w.Header().Set("Content-Type", wire.MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	//nolint:gosec // G705: the body is JSON, and the header says so
	w.Write(body) // an error means that the client has disconnected

	duration := s.now().Sub(x.start)
	s.observer.Observe(Outcome{
		Operation: x.operation,
		Status:    status,
		Exception: code,
		Rejected:  errors.Is(err, errSlowDown),
		Duration:  duration,
	})
	attrs := []slog.Attr{
		slog.String("request_id", x.id),
		slog.String("address", s.callers.Client(r).Address.String()),
		slog.String("access_key_id", x.keyID),
		slog.String("account", x.caller.Principal.Account),
		slog.String("principal", x.caller.Principal.ARN),
		slog.String("operation", x.operation),
		slog.Int("status", status),
		slog.Duration("duration", duration),
	}
	level := slog.LevelInfo
	if err != nil {
		attrs = append(attrs, slog.String("error_code", code))
		if e, ok := errors.AsType[*recollect.Error](err); ok && e.Err != nil {
			attrs = append(attrs, slog.String("cause", e.Err.Error()))
		}
		if x.keyID != "" && x.caller.KeyID == "" {
			level = slog.LevelWarn // the id of a key was used without its secret
		}
		if status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", err.Error()))
		}
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// serve takes a request through all steps.
func (s *Server) serve(x *exchange, header http.Header, r *http.Request) ([]byte, error) {
	output, err := s.answer(x, r)
	if err != nil {
		return nil, err
	}
	body, err := wire.Encode(output)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return s.compressor.compress(header, r, body)
}

// answer takes a request through the steps up to its output.
func (s *Server) answer(x *exchange, r *http.Request) (output any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	own, isOwn := s.ownOperation(r.URL.Path)
	if !isOwn && r.URL.Path != "/" || r.Method != http.MethodPost {
		return nil, unknownOperation(http.StatusNotFound)
	}
	claim, err := s.callers.Read(r, x.start)
	x.keyID = claim.KeyID()
	if err != nil {
		return nil, unread(err)
	}
	op, newInput := own.operation, own.newInput
	described, known := operationOf(r)
	switch {
	case isOwn:
		x.operation, known = op.name, true
	case known:
		newInput = described.NewInput
		x.operation = described.Name
		if op, known = s.operations[described.Name]; !known {
			return nil, unread(fmt.Errorf("operation %s is not declared", described.Name))
		}
	}
	place, err := s.admission.enter(op.cost, r.ContentLength)
	if err != nil {
		return nil, rejectUnread(r, err)
	}
	defer place.leave()
	memory := &budget{pool: s.bodies}
	defer memory.release()
	client := s.callers.Client(r).Address
	upload := s.uploads.begin(r.Body, x.conn, claim.KeyID(), client, place, memory)
	defer upload.end()
	body, err := readBody(upload, r.ContentLength, upload)
	if err != nil {
		return nil, err
	}
	if err := upload.end(); err != nil {
		return nil, unread(err)
	}
	if x.caller, err = claim.Verify(r, sha256.Sum256(body)); err != nil {
		return nil, err
	}

	if !known {
		return nil, unknownOperation(http.StatusBadRequest)
	}
	if !isOwn {
		if err := s.count(r.Context(), x, op.name); err != nil {
			return nil, err
		}
	}
	if err := place.settle(r.Context()); err != nil {
		return nil, err
	}
	unpacked := &budget{pool: s.bodies}
	defer unpacked.release()
	if body, err = decompressed(r, body, unpacked); err != nil {
		return nil, err
	}
	input := newInput()
	if err := wire.Decode(body, input); err != nil {
		return nil, err
	}
	if isOwn && own.setPath != nil {
		own.setPath(input)
	}
	if err := wire.Validate(input); err != nil {
		return nil, err
	}
	if isOwn {
		// The input says which operation of the API this counts as.
		op.name = own.countsAs(input)
		if err := s.count(r.Context(), x, op.name); err != nil {
			return nil, err
		}
	}
	if err := s.authorize(r.Context(), x, r, op, input); err != nil {
		return nil, err
	}
	return op.handle(r.Context(), x.caller.Realm, input)
}

// count counts a call against the rate of its account and operation.
func (s *Server) count(ctx context.Context, x *exchange, operation string) error {
	ok, err := s.limiter.allow(ctx, x.caller.Principal.Account, operation, x.start)
	if err != nil {
		return fmt.Errorf("count the call: %w", err)
	}
	if !ok {
		return errRateExceeded
	}
	return nil
}

// operationOf finds the operation that the headers name.
func operationOf(r *http.Request) (*wire.Operation, bool) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), wire.TargetPrefix+".")
	if !ok {
		return nil, false
	}
	return wire.Lookup(name)
}
