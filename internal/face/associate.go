package face

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// UserState is what a change of a user's faces is decided on: what a store has at one moment.
type UserState struct {
	User User // with its vector
	// with their vectors: those of the faces named that the collection has, in any order
	Faces   []Face
	Members []Embedding // all faces of the user, by ascending key
}

// UserChange is what becomes of a user's faces.
type UserChange struct {
	Add    []FaceKey // faces that belong to nobody
	Remove []FaceKey // faces of the user
	// the user's from now on; nil if no face is left. Of no meaning if nothing is added or removed
	Vector []float32
	Answer []byte // of the call
}

// AssociationReason says why a face's owner was not changed.
type AssociationReason string

// The reasons of the API.
const (
	ReasonFaceNotFound          AssociationReason = "FACE_NOT_FOUND"
	ReasonAssociatedToDifferent AssociationReason = "ASSOCIATED_TO_A_DIFFERENT_USER"
	ReasonLowMatchConfidence    AssociationReason = "LOW_MATCH_CONFIDENCE"
)

// AssociationResult is what became of the faces named in a call, in the order of the request, each
// once. A face that was already as the call would have it is in neither list.
type AssociationResult struct {
	Changed []string // ids of the faces that were associated or disassociated
	Failed  []FailedAssociation
	Status  UserStatus
}

// FailedAssociation is a face whose owner was not changed.
type FailedAssociation struct {
	FaceID     string
	Reason     AssociationReason
	UserID     string  // of ReasonAssociatedToDifferent: whose it is
	Confidence float32 // of ReasonLowMatchConfidence: how similar the face is to the user, 0 to 100
}

// AssociateFaces gives faces of a collection to one of its users. If the user has faces, only those
// are taken that are at least as similar to it, as it was before the call, as the threshold (0 to
// 100) says. Token is the client's for this call, or empty. CodeNotFound if there is no such
// collection or user; CodeQuota, and nothing changes, if the user would have too many faces;
// CodeIdempotentMismatch.
func (s *Service) AssociateFaces(ctx context.Context, realm recollect.Realm, collection,
	userID string, faceIDs []string, threshold float32, token string) (*AssociationResult, error) {
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return nil, err
	}
	input := append([]string{userID, strconv.FormatFloat(float64(threshold), 'g', -1, 32)},
		faceIDs...)
	return s.changeUser(ctx, c, userID, faceIDs, s.once(c, "AssociateFaces", token, input...),
		func(state UserState, result *AssociationResult) ([]Face, []Face, error) {
			add := result.associate(state, faceIDs, threshold, engine)
			if most := s.limits.FacesPerUser; len(add) > 0 && len(state.Members)+len(add) > most {
				return nil, nil,
					recollect.Errorf(recollect.CodeQuota, "A user cannot have more than %d faces",
						most)
			}
			return add, nil, nil
		})
}

// DisassociateFaces takes faces away from a user; they stay in the collection. Token is the
// client's for this call, or empty. CodeNotFound if there is no such collection or user,
// CodeIdempotentMismatch.
func (s *Service) DisassociateFaces(ctx context.Context, realm recollect.Realm, collection,
	userID string, faceIDs []string, token string) (*AssociationResult, error) {
	c, err := s.Collection(ctx, realm, collection)
	if err != nil {
		return nil, err
	}
	input := append([]string{userID}, faceIDs...)
	return s.changeUser(ctx, c, userID, faceIDs, s.once(c, "DisassociateFaces", token, input...),
		func(state UserState, result *AssociationResult) ([]Face, []Face, error) {
			return nil, result.disassociate(state, faceIDs), nil
		})
}

// changeUser adds and removes the faces that decide returns, which also fills in the result's
// lists.
func (s *Service) changeUser(ctx context.Context, c Collection, userID string, faceIDs []string,
	once recollect.Once,
	decide func(UserState, *AssociationResult) (add, remove []Face, err error)) (*AssociationResult,
	error) {
	answer, changed,
		err := s.users.ChangeUser(ctx, c.Key, userID, faceIDs, once,
		func(state UserState) (UserChange, error) {
			result := AssociationResult{Status: state.User.Status()}
			add, remove, err := decide(state, &result)
			if err != nil {
				return UserChange{}, err
			}
			var change UserChange
			if len(add)+len(remove) > 0 {
				result.Status = UserUpdating
				change = state.change(add, remove)
			}
			change.Answer, err = json.Marshal(result)
			return change, err
		})
	if err != nil {
		return nil, userError(err, userID)
	}
	if changed != 0 {
		// The change is stored: the caller's going away must not keep it from being found.
		if err := s.followUser(context.WithoutCancel(ctx), c.Key, changed); err != nil {
			return nil, err
		}
	}
	result := new(AssociationResult)
	if err := json.Unmarshal(answer, result); err != nil {
		return nil, fmt.Errorf("read the answer recorded: %w", err)
	}
	return result, nil
}

// associate returns the faces that the user gets.
func (r *AssociationResult) associate(state UserState, faceIDs []string, threshold float32,
	engine Engine) (add []Face) {
	r.each(state, faceIDs, func(f Face) {
		switch f.UserID {
		case state.User.ID:
			return
		case "":
		default:
			r.Failed = append(r.Failed,
				FailedAssociation{FaceID: f.ID, Reason: ReasonAssociatedToDifferent,
					UserID: f.UserID})
			return
		}
		if len(state.Members) > 0 {
			if similarity := engine.Similarity(dot(state.User.Vector,
				f.Vector)); similarity < threshold {
				r.Failed = append(r.Failed,
					FailedAssociation{FaceID: f.ID, Reason: ReasonLowMatchConfidence,
						Confidence: similarity})
				return
			}
		}
		add = append(add, f)
		r.Changed = append(r.Changed, f.ID)
	})
	return add
}

// disassociate returns the faces that are taken away from the user.
func (r *AssociationResult) disassociate(state UserState, faceIDs []string) (remove []Face) {
	r.each(state, faceIDs, func(f Face) {
		switch f.UserID {
		case state.User.ID:
			remove = append(remove, f)
			r.Changed = append(r.Changed, f.ID)
		case "":
		default:
			r.Failed = append(r.Failed,
				FailedAssociation{FaceID: f.ID, Reason: ReasonAssociatedToDifferent,
					UserID: f.UserID})
		}
	})
	return remove
}

// each calls f with the faces in the order of ids, each once. Those that are not there have failed.
func (r *AssociationResult) each(state UserState, ids []string, f func(Face)) {
	faces := make(map[string]Face, len(state.Faces))
	for _, face := range state.Faces {
		faces[face.ID] = face
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		face, ok := faces[id]
		if !ok {
			r.Failed = append(r.Failed, FailedAssociation{FaceID: id, Reason: ReasonFaceNotFound})
			continue
		}
		f(face)
	}
}

// change adds and removes faces and aggregates those that the user has then.
func (state UserState) change(add, remove []Face) UserChange {
	var change UserChange
	gone := make(map[VectorKey]bool, len(remove))
	for _, f := range remove {
		change.Remove = append(change.Remove, f.Key)
		gone[VectorKey(f.Key)] = true
	}
	members := slices.DeleteFunc(slices.Clone(state.Members),
		func(e Embedding) bool { return gone[e.Key] })
	for _, f := range add {
		change.Add = append(change.Add, f.Key)
		members = append(members, Embedding{Key: VectorKey(f.Key), Vector: f.Vector})
	}
	// The sum depends on the order in its last digits; the same faces are to give the same vector.
	slices.SortFunc(members, func(a, b Embedding) int { return cmp.Compare(a.Key, b.Key) })
	vectors := make([][]float32, len(members))
	for i, e := range members {
		vectors[i] = e.Vector
	}
	change.Vector = Aggregate(vectors)
	return change
}

// Aggregate returns the vector that unit vectors have together: their mean, L2-normalised. It is
// nil for none. Vectors that cancel each other out have no direction in common, and the first one
// stands for all.
func Aggregate(vectors [][]float32) []float32 {
	if len(vectors) == 0 {
		return nil
	}
	sum := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for i, x := range v {
			sum[i] += float64(x)
		}
	}
	var norm float64
	for _, x := range sum {
		norm += x * x
	}
	norm = math.Sqrt(norm)
	// The coordinates of a unit vector are exact to about 6e-8. A sum as short as that is rounding,
	// no direction.
	if norm < 1e-6*float64(len(vectors)) {
		return slices.Clone(vectors[0])
	}
	mean := make([]float32, len(sum))
	for i, x := range sum {
		mean[i] = float32(x / norm)
	}
	return mean
}
