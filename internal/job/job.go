// Package job runs what a request started and does not wait for: it keeps jobs, gives each to one
// worker at a time, again after a crash, and announces their ends.
package job

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Status is the state of a job as its starter sees it.
type Status string

// The statuses are the API's.
const (
	InProgress Status = "IN_PROGRESS" // waits or is run
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "FAILED"
)

// Key identifies a job inside the server. It is positive, and that of a deleted job is not used
// again.
type Key int64

// Job is a job with its state.
type Job struct {
	Key     Key
	ID      string // 64 hexadecimal digits
	Realm   recollect.Realm
	Kind    string // the operation that started it, for example StartFaceDetection
	Tag     string // of the starter; empty: none
	Topic   string // ARN of the topic that its end is announced to; empty: none
	Source  Object
	Input   []byte // the rest of what the starter asked for, in a form of the kind's own
	Created time.Time

	Status   Status
	Message  string    // why it failed
	Summary  []byte    // what is known of the source, in a form of the kind's own; nil: nothing yet
	Progress float32   // 0 to 1
	Finished time.Time // zero while it is in progress
}

// Object is an object of S3.
type Object struct {
	Bucket, Name, Version string // an empty version: the newest
}

// NewID returns a random id.
func NewID() string {
	var id [32]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// Claim is the right to run a job. It ends when its lease does, or the job is claimed again.
type Claim struct {
	Job      Key
	Number   int64 // the how manieth claim of the job it is, from 1
	Failures int   // earlier runs that ended with the server, or with an error of the server
}

// ErrLost says that a claim has ended: the job is another worker's, or is finished or deleted.
var ErrLost = errors.New("the claim on the job has ended")

// Item is one result of a job.
type Item struct {
	Seq  int64  // from 0, in the job's own order; no two items of a job have the same
	Key  []byte // the place in the other order, bytewise; items with equal keys are in order of Seq
	Body []byte // in a form of the kind's own
}

// Order is an order of items.
type Order int

// The orders of items.
const (
	BySeq Order = iota
	ByKey       // then by Seq
)

// Outcome is the end of a job.
type Outcome struct {
	Status  Status // Succeeded or Failed
	Message string // why it failed
	At      time.Time
}

// Store keeps jobs. Every method is safe for concurrent use, is one transaction, and returns an
// error that wraps a [recollect.Error] or [ErrLost] where its comment says so. Leases and pauses
// are measured by one clock for all servers that share a store.
type Store interface {
	// CreateJob stores a job, of which the fields up to Created are set but Key, and returns its
	// id: that of the earlier one if the call is repeated. CodeLimitExceeded, and nothing is
	// stored, if the realm has maxActive jobs in progress; CodeIdempotentMismatch (see
	// [recollect.Once]).
	CreateJob(ctx context.Context, j Job, once recollect.Once, maxActive int) (id string,
		err error)

	// RepeatedJob returns the id of the job that a repeated call started, and whether it is
	// repeated. CodeIdempotentMismatch.
	RepeatedJob(ctx context.Context, once recollect.Once) (id string, ok bool, err error)

	// Job returns one job. CodeNotFound if the realm has no such job.
	Job(ctx context.Context, realm recollect.Realm, id string) (Job, error)

	// ClaimJob claims the oldest job in progress that nobody runs, or whose claim's lease has
	// ended, for the length of a lease; ok is false if there is none.
	ClaimJob(ctx context.Context, lease time.Duration) (j Job, c Claim, ok bool, err error)

	// RenewJob keeps a claim for another lease from now on, and notes the progress. ErrLost.
	RenewJob(ctx context.Context, c Claim, progress float32, lease time.Duration) error

	// DescribeJob stores the summary of a job. ErrLost.
	DescribeJob(ctx context.Context, c Claim, summary []byte) error

	// ReleaseJob ends a claim; the job can be claimed again after a pause. With failed this counts
	// as a failure of the job. ErrLost.
	ReleaseJob(ctx context.Context, c Claim, pause time.Duration, failed bool) error

	// FinishJob ends a claim with the job. If the job has a topic, its end can be announced from
	// now on. ErrLost.
	FinishJob(ctx context.Context, c Claim, o Outcome) error

	// AddItems stores items of a job. ErrLost.
	AddItems(ctx context.Context, c Claim, items []Item) error

	// DiscardItems deletes some of what was stored for a job by earlier claims or this one, and
	// reports whether there may be more. ErrLost.
	DiscardItems(ctx context.Context, c Claim) (more bool, err error)

	// Items returns at most limit items of a job in an order: those after the item with the number
	// after, or from the first one if it is negative.
	Items(ctx context.Context, k Key, o Order, after int64, limit int) ([]Item, error)

	// DueAnnouncement returns a job whose end is to be announced now, and puts the next attempt off
	// until after the pause; ok is false if there is none. Attempt counts from 1.
	DueAnnouncement(ctx context.Context, pause time.Duration) (j Job, attempt int, ok bool,
		err error)

	// PutOffAnnouncement puts the next attempt to announce a job's end off for a pause from now.
	PutOffAnnouncement(ctx context.Context, k Key, pause time.Duration) error

	// EndAnnouncement says that the end of a job was announced, or never will be.
	EndAnnouncement(ctx context.Context, k Key) error

	// DeleteFinishedJob deletes some items of the oldest job that finished before a moment, and
	// with the last ones the job. It reports whether there may be more to delete.
	DeleteFinishedJob(ctx context.Context, before time.Time) (more bool, err error)
}
