// Package admin serves the operator's routes: the overview of the server, those it shares its store
// with, its backup, and the export and import of collections.
//
// The routes are under /recollect/v1/, beside the face API, and use the same access keys: requests
// are signed with Signature Version 4 for the service rekognition, and IAM policies decide about
// actions of their own, recollect:Backup for example. Answers are JSON with names in the API's
// style, and errors have the API's envelope.
package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/semaphore"

	"github.com/recollect-dev/recollect/internal/api/authn"
	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/api/trail"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/cluster"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/tracing"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// Prefix is the prefix of all routes.
const Prefix = "/recollect/v1/"

// The actions for policies. An action on a collection has its ARN as the resource, the others *.
const (
	GetOverview      = "recollect:GetOverview"
	Backup           = "recollect:Backup"
	ExportCollection = "recollect:ExportCollection"
	ImportCollection = "recollect:ImportCollection"
	GetThumbnail     = "recollect:GetThumbnail"
	GetCluster       = "recollect:GetCluster"
)

// Actions returns all of them, sorted.
func Actions() []string {
	return []string{Backup, ExportCollection, GetCluster, GetOverview, GetThumbnail,
		ImportCollection}
}

// maxRequests is the limit of requests in flight. Operators and their tools send few.
const maxRequests = 64

// Model is a model pack that is loaded.
type Model struct {
	Version     string // what collections keep as their FaceModelVersion
	Calibration []Calibrated
}

// Calibrated is what a similarity means as a threshold: the shares, 0 to 1, of pairs of two people
// (FalseMatchRate) and of pairs of one person (TrueAcceptRate) that reach it.
type Calibrated struct {
	Similarity                     float32 // 0 to 100
	FalseMatchRate, TrueAcceptRate float64
}

// Store reads the data of the face API.
type Store interface {
	// Totals counts the collections, faces and users of a realm.
	Totals(ctx context.Context, realm recollect.Realm) (face.Totals, error)

	// Collection returns a collection. CodeNotFound if there is none.
	Collection(ctx context.Context, realm recollect.Realm, id string) (face.Collection, error)

	// Tags returns a collection's tags.
	Tags(ctx context.Context, key face.CollectionKey) (map[string]string, error)

	// Thumbnail returns the JPEG thumbnail of a face. CodeNotFound if there is none.
	Thumbnail(ctx context.Context, key face.CollectionKey, faceID string) ([]byte, error)

	// HasThumbnails reports whether the thumbnail of any face is kept.
	HasThumbnails(ctx context.Context) (bool, error)
}

// BackupWriter writes an archive of the whole server to w. It needs the folder scratch, with space
// for a copy of the database, and writes nothing to w if it fails before the snapshot is complete.
type BackupWriter interface {
	Write(ctx context.Context, w io.Writer, scratch string) error
}

// Exporter writes an archive of a collection to w. CodeNotFound if there is none.
type Exporter interface {
	Write(ctx context.Context, w io.Writer, realm recollect.Realm, id string) error
}

// Importer creates a collection with this id from an archive, completely or not at all. An archive
// of more than MaxArchiveBytes exceeds what any collection may have.
type Importer interface {
	MaxArchiveBytes() int64
	Import(ctx context.Context, a *archive.Reader, realm recollect.Realm,
		id string) (face.Collection, error)
}

// Cluster knows the servers that share the store.
type Cluster interface {
	// Nodes returns those that there were of late.
	Nodes(ctx context.Context) ([]cluster.Node, error)

	// Self is the id of this one.
	Self() string

	// Shared reports whether there can be others.
	Shared() bool
}

// Config is what a [Server] needs. All fields are required but Thumbnails.
type Config struct {
	Store      Store
	Backup     BackupWriter
	Exporter   Exporter
	Importer   Importer
	Identities rekognition.Identities
	Regions    []string // that signatures may be for
	Account    string   // the server's own; only its principals may back up all accounts
	Data       string   // the data folder
	Version    string   // of the program
	Models     []Model  // the first is the default for new collections
	Activity   *Activity
	Cluster    Cluster
	Log        *slog.Logger
	Thumbnails bool // are shown to callers with GetThumbnail, and made of faces that are indexed

	Clients clientaddr.Resolver // the zero value trusts no proxy
	Guard   *authn.Guard        // nil: failed signatures are not limited
	Trail   *trail.Trail        // nil: there is no audit log
}

// Server is the handler of the routes. It is safe for concurrent use.
type Server struct {
	Config
	now       func() time.Time
	started   time.Time
	requests  *semaphore.Weighted
	transfers *semaphore.Weighted
	routes    map[string]route
	callers   *authn.Authenticator
}

// route is the handler of one path. Its action on its resource is authorized before the handler
// runs; without an action every caller with a valid signature is allowed.
type route struct {
	method string
	action string
	// collection says that the parameter collection of the query names the resource.
	collection bool
	run        func(ctx context.Context, x *call) (answer any, err error)
}

// call is one request with its state. A handler that writes its response itself returns a nil
// answer.
type call struct {
	*exchange.Exchange
	path     string // of the route, behind Prefix; empty before it is found
	w        http.ResponseWriter
	r        *http.Request
	bodyHash [sha256.Size]byte // that was signed
	resource string            // that policies decided about; empty before they did
}

// New returns a server, and removes the scratch folders that an earlier process left in the data
// folder.
func New(cfg Config) *Server {
	s := &Server{Config: cfg, now: time.Now, started: time.Now(),
		requests:  semaphore.NewWeighted(maxRequests),
		transfers: semaphore.NewWeighted(maxTransfers)}
	s.callers = authn.New(cfg.Identities, wire.SigningName, cfg.Regions, cfg.Clients).
		Guarded(cfg.Guard)
	s.removeScratch()
	s.routes = map[string]route{
		"overview": {method: http.MethodGet, action: GetOverview, run: s.overview},
		"backup":   {method: http.MethodGet, action: Backup, run: s.backup},
		"export": {method: http.MethodGet, action: ExportCollection, collection: true,
			run: s.export},
		"import": {method: http.MethodPost, action: ImportCollection, collection: true,
			run: s.importCollection},
		"models": {method: http.MethodGet, run: s.models},
		"thumbnail": {method: http.MethodGet, action: GetThumbnail, collection: true,
			run: s.thumbnail},
		"permissions": {method: http.MethodGet, run: s.permissions},
		"cluster":     {method: http.MethodGet, action: GetCluster, run: s.cluster},
	}
	return s
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &call{Exchange: exchange.Begin(w.Header(), s.callers.Client(r), s.now()), w: w, r: r}
	w.Header().Set("Cache-Control", "no-store")
	status, exception := http.StatusOK, ""
	answer, err := s.serve(r.Context(), x)
	err = s.record(r.Context(), x, answer, err)
	var body []byte
	if err == nil && answer != nil {
		body, err = json.Marshal(answer)
	}
	switch {
	case errors.Is(err, errAnswerBegun):
		status = http.StatusInternalServerError
	case err != nil:
		if r.ContentLength != 0 {
			exchange.CloseConnection(w, r)
		}
		status, exception = rekognition.WriteError(w, err)
	case answer != nil:
		exchange.Write(w, "application/json", status, body)
	}
	tracing.Name(r.Context(), "Recollect", x.path, exception)
	end := exchange.Ending{Status: status, Code: exception, Err: err,
		Duration: s.now().Sub(x.Start), Asked: slog.String("path", x.path)}
	if id := r.URL.Query().Get("collection"); id != "" && x.path != "" {
		end.More = []slog.Attr{slog.String("collection", id)}
	}
	x.Log(r.Context(), s.Log, "administration", end)
	if errors.Is(err, errAnswerBegun) {
		panic(http.ErrAbortHandler) // the client must see an aborted response, not a short one
	}
}

// errAnswerBegun marks failures after the response was begun: no error can be sent any more.
var errAnswerBegun = errors.New("the response had begun")

// serve authenticates and authorizes a request and runs the handler of its route. It sets x.path
// once the route is found.
func (s *Server) serve(ctx context.Context, x *call) (answer any, err error) {
	defer exchange.Recover(&err)
	if !s.requests.TryAcquire(1) {
		return nil, recollect.Errorf(recollect.CodeThrottled,
			"Slow down; there are too many requests at once.")
	}
	defer s.requests.Release(1)
	if err := s.authenticate(x); err != nil {
		return nil, err
	}
	path := x.r.URL.Path[len(Prefix):]
	do, ok := s.routes[path]
	if !ok {
		return nil, recollect.Errorf(recollect.CodeNotFound, "There is no %s.",
			strconv.QuoteToASCII(clipped(x.r.URL.Path)))
	}
	x.path = path
	if do.method != x.r.Method {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter, "The method of %s%s is %s.",
			Prefix, path, do.method)
	}
	if do.action != "" {
		resource := "*"
		if do.collection {
			id, err := collectionOf(x.r)
			if err != nil {
				return nil, err
			}
			resource = face.CollectionARN(x.Caller.Realm, id)
		}
		x.resource = resource
		if err := s.Identities.Authorize(ctx,
			s.authorization(x, do.action, resource)); err != nil {
			return nil, err
		}
	}
	// Some routes begin their response themselves.
	if err := s.Trail.Begin(ctx, s.callOf(x)); err != nil {
		return nil, err
	}
	return do.run(ctx, x)
}

// clipped returns the first 100 bytes of a caller's text, for use in an error message.
func clipped(text string) string { return text[:min(len(text), 100)] }

// authenticate verifies the signature. It trusts the hash of the body in the header: the handler
// that reads the body compares.
func (s *Server) authenticate(x *call) error {
	claim, err := s.callers.Read(x.r, x.Start)
	x.KeyID = claim.KeyID()
	if err != nil {
		return err
	}
	x.bodyHash = sha256.Sum256(nil)
	if x.r.ContentLength != 0 {
		// Unlike a body of the API, this one is too large to be read before the signature is
		// verified.
		hash, err := hex.DecodeString(x.r.Header.Get("X-Amz-Content-Sha256"))
		if err != nil || len(hash) != sha256.Size {
			return recollect.Errorf(recollect.CodeInvalidParameter,
				"A request with a body must have the body's SHA-256 in the header "+
					"x-amz-content-sha256, in hexadecimal, and sign it.")
		}
		x.bodyHash = [sha256.Size]byte(hash)
	}
	x.Caller, err = claim.Verify(x.r, x.bodyHash)
	return err
}

// authorization returns the request that policies decide about.
func (s *Server) authorization(x *call, action, resource string) *iam.Request {
	request := x.Caller.PolicyRequest(x.r, action, resource, x.Start)
	if id := x.r.URL.Query().Get("collection"); id != "" && resource != "*" {
		request.LoadResourceTags = func(ctx context.Context) (map[string]string, error) {
			c, err := s.Store.Collection(ctx, x.Caller.Realm, id)
			if recollect.CodeOf(err) == recollect.CodeNotFound {
				return nil, nil // the same decision as for a collection without tags
			}
			if err != nil {
				return nil, err
			}
			return s.Store.Tags(ctx, c.Key)
		}
	}
	return request
}

// collectionOf returns the id of the collection that the query names.
func collectionOf(r *http.Request) (string, error) {
	id := r.URL.Query().Get("collection")
	if err := wire.Validate(&wire.DescribeCollectionRequest{CollectionId: &id}); err != nil {
		return "", err
	}
	return id, nil
}
