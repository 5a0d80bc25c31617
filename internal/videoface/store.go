package videoface

import (
	"context"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
)

// Match is a face of a collection that a track matches.
type Match struct {
	Face       face.FaceKey
	Similarity float32 // 0 to 100
}

// MatchStore keeps the matches of tracks. It keeps the keys of faces alone, and none of a face that
// was deleted. Every method is safe for concurrent use and is one transaction.
type MatchStore interface {
	// AddMatches stores the matches of a track, the most similar first. Faces that were deleted
	// meanwhile are left out. [job.ErrLost].
	AddMatches(ctx context.Context, c job.Claim, track int64, matches []Match) error

	// Matches returns the matches of tracks, the most similar first.
	Matches(ctx context.Context, k job.Key, tracks []int64) (map[int64][]Match, error)
}

// Store keeps jobs and matches.
type Store interface {
	job.Store
	MatchStore
}
