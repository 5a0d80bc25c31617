package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

const (
	// maxTransfers is the limit of archives in progress: each takes as much disk space as its
	// data.
	maxTransfers = 2

	// transferPause is how long a client may receive or send nothing before its transfer is
	// aborted.
	transferPause = time.Minute

	scratchPrefix = ".archive-"
)

// transfer runs do with a scratch folder within the data folder, and removes the folder
// afterwards.
func (s *Server) transfer(x *call, do func(scratch string) (any, error)) (answer any,
	err error) {
	if !s.transfers.TryAcquire(1) {
		return nil, recollect.Errorf(recollect.CodeThrottled,
			"Slow down; other archives are in progress.")
	}
	defer s.transfers.Release(1)
	scratch, err := os.MkdirTemp(s.Data, scratchPrefix+"*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make scratch space: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	answer, err = do(scratch)
	if isFull(err) && !errors.Is(err, errAnswerBegun) {
		err = &recollect.Error{Code: recollect.CodeQuota,
			Message: "There is not enough space left in the server's data folder. Nothing was " +
				"changed.", Err: err}
	}
	return answer, err
}

// isFull reports whether an error means that the disk, or its quota, is full.
func isFull(err error) bool {
	return errors.Is(err, recollect.ErrNoSpace) || errors.Is(err, syscall.ENOSPC) ||
		errors.Is(err, syscall.EDQUOT)
}

// removeScratch removes the scratch folders of a process that was killed.
func (s *Server) removeScratch() {
	left, _ := filepath.Glob(filepath.Join(s.Data, scratchPrefix+"*"))
	for _, folder := range left {
		if err := os.RemoveAll(folder); err != nil {
			s.Log.Error("cannot remove the scratch folder of an earlier archive", "error", err)
		}
	}
}

// backup sends an archive of the whole server.
func (s *Server) backup(ctx context.Context, x *call) (any, error) {
	if x.Caller.Principal.Account != s.Account {
		return nil, &iam.DeniedError{Principal: x.Caller.Principal, Action: Backup, Resource: "*"}
	}
	return s.transfer(x, func(scratch string) (any, error) {
		x.w.Header().Set("Content-Type", "application/zip")
		to := &sender{w: x.w, control: http.NewResponseController(x.w)}
		err := s.Backup.Write(ctx, to, scratch)
		if err != nil && to.begun {
			err = errors.Join(errAnswerBegun, err)
		}
		return nil, err
	})
}

// export sends an archive of a collection. The archive is written to disk first, so that a slow
// client does not block checkpoints of the store.
func (s *Server) export(ctx context.Context, x *call) (any, error) {
	id, err := collectionOf(x.r)
	if err != nil {
		return nil, err
	}
	return s.transfer(x, func(scratch string) (any, error) {
		f, err := os.OpenFile(filepath.Join(scratch, "export.zip"), os.O_RDWR|os.O_CREATE|os.O_EXCL,
			0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := s.Exporter.Write(ctx, f, x.Caller.Realm, id); err != nil {
			return nil, err
		}
		size, err := f.Seek(0, io.SeekCurrent)
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			return nil, err
		}
		x.w.Header().Set("Content-Type", "application/zip")
		x.w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		to := &sender{w: x.w, control: http.NewResponseController(x.w)}
		if _, err := io.Copy(to, f); err != nil {
			return nil, errors.Join(errAnswerBegun, err)
		}
		return nil, nil
	})
}

// sender writes to a client, with a new deadline for each write.
type sender struct {
	w       io.Writer
	control *http.ResponseController
	begun   bool
}

func (s *sender) Write(b []byte) (int, error) {
	s.begun = true
	if err := s.control.SetWriteDeadline(time.Now().Add(transferPause)); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// receiver reads from a client, with a new deadline for each read.
type receiver struct {
	r       io.Reader
	control *http.ResponseController
}

func (r *receiver) Read(b []byte) (int, error) {
	if err := r.control.SetReadDeadline(time.Now().Add(transferPause)); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

type importAnswer struct {
	CollectionId     string
	CollectionArn    string
	FaceModelVersion string
	FaceCount        int64
	UserCount        int64
}

// importCollection creates a collection from an archive. The whole archive is written to disk and
// its hash is verified before any of it is parsed.
func (s *Server) importCollection(ctx context.Context, x *call) (any, error) {
	id, err := collectionOf(x.r)
	if err != nil {
		return nil, err
	}
	limit := s.Importer.MaxArchiveBytes()
	if x.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	return s.transfer(x, func(scratch string) (any, error) {
		f, err := os.OpenFile(filepath.Join(scratch, "import.zip"), os.O_RDWR|os.O_CREATE|os.O_EXCL,
			0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		size, err := receive(x, f, limit)
		if err != nil {
			return nil, err
		}
		a, err := archive.NewReader(ctx, f, size, archive.KindCollection)
		if err != nil {
			return nil, refusal(err)
		}
		control := http.NewResponseController(x.w)
		// no deadline for the import itself
		if err := control.SetWriteDeadline(time.Time{}); err != nil {
			return nil, err
		}
		c, err := s.Importer.Import(ctx, a, x.Caller.Realm, id)
		if err != nil {
			return nil, refusal(err)
		}
		return &importAnswer{c.ID, face.CollectionARN(x.Caller.Realm, c.ID), c.FaceModelVersion,
			c.FaceCount, c.UserCount}, control.SetWriteDeadline(time.Now().Add(transferPause))
	})
}

// receive writes a request's body of at most limit bytes to f, and compares it with the hash that
// was signed.
func receive(x *call, f *os.File, limit int64) (size int64, err error) {
	control := http.NewResponseController(x.w)
	hash := sha256.New()
	body := http.MaxBytesReader(x.w, x.r.Body, limit)
	size, err = io.Copy(io.MultiWriter(f, hash), &receiver{body, control})
	if isFull(err) {
		return 0, err
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return 0, tooLarge(limit)
	}
	if err == nil {
		err = control.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return 0, &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "The archive did not arrive as a whole. Nothing was changed.", Err: err}
	}
	if [sha256.Size]byte(hash.Sum(nil)) != x.bodyHash {
		return 0, recollect.Errorf(recollect.CodeInvalidParameter,
			"The archive is not the one whose SHA-256 was signed. Nothing was changed.")
	}
	return size, nil
}

func tooLarge(limit int64) error {
	return recollect.Errorf(recollect.CodeQuota,
		"The archive has more than the %d bytes of a collection within the server's limits. "+
			"Nothing was changed.", limit)
}

// refusal returns the error for the client if its archive is damaged or invalid.
func refusal(err error) error {
	if damaged, ok := errors.AsType[*archive.DamagedError](err); ok {
		return &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "Nothing was imported: " + damaged.Error() + ".", Err: err}
	}
	if invalid, ok := errors.AsType[*wire.ValidationError](err); ok {
		return &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "Nothing was imported: the archive has values that are not valid: " +
				invalid.Error()}
	}
	return err
}
