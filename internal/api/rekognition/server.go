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
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/text"
	"github.com/recollect-dev/recollect/internal/tracing"
	"github.com/recollect-dev/recollect/internal/videoface"
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

	Text        *text.Service      // nil: its model pack is not installed
	Videos      *videoface.Service // nil: the operations on faces in videos are not built
	Observer    Observer           // nil: none
	Rates       Rates              // the zero value limits nothing
	MaxRequests int                // served at one moment; 0: 256 for each core
	// of them, those whose operations run networks, a large body counting for several; 0: 128 for
	// each core
	MaxPictures int

	Clients clientaddr.Resolver // the zero value trusts no proxy
	Guard   *authn.Guard        // nil: failed signatures are not limited
	Trail   *trail.Trail        // nil: there is no audit log

	SharedRates SharedBuckets // nil: each server counts its own calls
}

// Server answers the API's requests. It is safe for concurrent use.
type Server struct {
	service    *face.Service
	text       *text.Service
	videos     *videoface.Service
	identities Identities
	images     Images
	callers    *authn.Authenticator
	tokens     tokens
	log        *slog.Logger
	observer   Observer
	now        func() time.Time
	operations map[string]operation // of the API, by name
	own        []operation          // Recollect's own
	admission  *admission
	limiter    *limiter
	bodies     *semaphore.Weighted
	uploads    *uploads
	compressor *compressor
	trail      *trail.Trail
}

// New returns a server.
func New(cfg Config) *Server {
	s := &Server{
		service:    cfg.Service,
		text:       cfg.Text,
		videos:     cfg.Videos,
		identities: cfg.Identities,
		images:     cfg.Images,
		callers: authn.New(cfg.Identities, wire.SigningName, cfg.Regions, cfg.Clients).
			Guarded(cfg.Guard),
		tokens:     tokens{key: cfg.TokenKey},
		log:        cfg.Log,
		observer:   cfg.Observer,
		now:        time.Now,
		admission:  newAdmission(cfg.MaxRequests, cfg.MaxPictures),
		limiter:    newLimiter(cfg.Rates, cfg.SharedRates),
		bodies:     semaphore.NewWeighted(bodyMemory),
		compressor: newCompressor(),
		trail:      cfg.Trail,
	}
	s.uploads = newUploads(s.admission.maxRequests, bodyMemory)
	if s.observer == nil {
		s.observer = nobody{}
	}
	if s.images == nil {
		s.images = noImages{}
	}
	if s.text == nil {
		s.text = text.NewService(nil)
	}
	s.operations = make(map[string]operation)
	for _, op := range s.table() {
		// A test holds every entry to check; one that fails it is rejected when it is called.
		switch {
		case op.check() != nil:
		case op.path != "":
			s.own = append(s.own, op)
		default:
			s.operations[op.name] = op
		}
	}
	return s
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.Begin(w.Header(), s.callers.Client(r), s.now())
	var body []byte
	err := rejectUnread(r, errSlowDown)
	if s.admission.requests.TryAcquire(1) {
		defer s.admission.requests.Release(1)
		body, err = s.serve(x, w, r)
	}
	err = s.record(w.Header(), x, r, err)
	status, code := http.StatusOK, ""
	if err != nil {
		fault := faultOf(err)
		status, code, body = fault.status, fault.name, fault.body()
		if errors.Is(err, exchange.ErrUnread) {
			exchange.CloseConnection(w, r)
		}
	}
	exchange.Write(w, wire.MediaType, status, body)
	tracing.Name(r.Context(), wire.TargetPrefix, x.Operation, code)
	duration := s.now().Sub(x.Start)
	s.observer.Observe(Outcome{
		Operation: x.Operation,
		Status:    status,
		Exception: code,
		Rejected:  errors.Is(err, errSlowDown),
		Duration:  duration,
	})
	x.Log(r.Context(), s.log, "request",
		exchange.Ending{Status: status, Code: code, Err: err, Duration: duration})
}

// serve takes a request through all steps.
func (s *Server) serve(x *exchange.Exchange, w http.ResponseWriter,
	r *http.Request) ([]byte, error) {
	stages := new(tracing.Stages)
	defer stages.End()
	output, err := s.answer(x, w, r, stages)
	if err != nil {
		return nil, err
	}
	stages.Next(r.Context(), "encode the answer")
	body, err := wire.Encode(output)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return s.compressor.compress(w.Header(), r, body)
}

// answer takes a request through the steps up to its output.
func (s *Server) answer(x *exchange.Exchange, w http.ResponseWriter, r *http.Request,
	stages *tracing.Stages) (output any, err error) {
	defer exchange.Recover(&err)
	op, id, found := s.ownOperation(r.URL.Path)
	if !found && r.URL.Path != "/" || r.Method != http.MethodPost {
		return nil, unknownOperation(http.StatusNotFound)
	}
	stages.Next(r.Context(), "read the signature")
	claim, err := s.callers.Read(r, x.Start)
	x.KeyID = claim.KeyID()
	if err != nil {
		return nil, exchange.Unread(err)
	}
	if !found {
		op, found, err = s.operationOf(r)
	}
	x.Operation = op.name
	if err != nil {
		return nil, exchange.Unread(err)
	}
	stages.Next(r.Context(), "read the body")
	place, err := s.admission.enter(op.cost, r.ContentLength)
	if err != nil {
		return nil, rejectUnread(r, err)
	}
	defer place.leave()
	memory := &budget{pool: s.bodies}
	defer memory.release()
	upload := s.uploads.begin(r.Body, http.NewResponseController(w), x.KeyID, x.Client.Address,
		place, memory)
	defer upload.end()
	body, err := readBody(upload, r.ContentLength, upload)
	if err != nil {
		return nil, err
	}
	if err := upload.end(); err != nil {
		return nil, exchange.Unread(err)
	}
	stages.Next(r.Context(), "verify the signature")
	if x.Caller, err = claim.Verify(r, sha256.Sum256(body)); err != nil {
		return nil, err
	}

	if !found {
		return nil, unknownOperation(http.StatusBadRequest)
	}
	if counted := op.countsAs.name; counted != "" {
		if err := s.count(r.Context(), x, counted); err != nil {
			return nil, err
		}
	}
	if err := place.settle(r.Context()); err != nil {
		return nil, err
	}
	stages.Next(r.Context(), "decode the input")
	unpacked := &budget{pool: s.bodies}
	defer unpacked.release()
	if body, err = decompressed(r, body, unpacked); err != nil {
		return nil, err
	}
	input := op.newInput()
	if err := wire.Decode(body, input); err != nil {
		return nil, err
	}
	if op.takeID != nil {
		op.takeID(input, id)
	}
	x.Input = input
	if err := wire.Validate(input); err != nil {
		return nil, err
	}
	if op.countsAs.name == "" {
		if err := s.count(r.Context(), x, op.countsAs.of(input)); err != nil {
			return nil, err
		}
	}
	ctx := stages.Next(r.Context(), "authorize")
	if err := s.authorize(ctx, x, r, op, input); err != nil {
		return nil, err
	}
	if err := s.recordIntent(x, r, op); err != nil {
		return nil, err
	}
	ctx = stages.Next(r.Context(), "run the operation")
	x.Output, err = op.handle(ctx, x.Caller.Realm, input)
	return x.Output, err
}

// count counts a call against the rate of its account and operation.
func (s *Server) count(ctx context.Context, x *exchange.Exchange, operation string) error {
	ok, err := s.limiter.allow(ctx, x.Caller.Principal.Account, operation, x.Start)
	if err != nil {
		return fmt.Errorf("count the call: %w", err)
	}
	if !ok {
		return errRateExceeded
	}
	return nil
}

// operationOf finds the operation of the API that the headers name. It is an error, beside the name
// of the operation, if the model has it and the table does not.
func (s *Server) operationOf(r *http.Request) (op operation, found bool, err error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), wire.TargetPrefix+".")
	if !ok || !IsOperation(name) {
		return op, false, nil
	}
	if op, found = s.operations[name]; !found {
		op.name, err = name, fmt.Errorf("operation %s is not declared", name)
	}
	return op, found, err
}
