package face

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// UserState is what a store has, at one moment, of a user whose faces are to be changed.
type UserState struct {
	User User // with its vector
	// with their vectors: those of the faces named that the collection has, in any order
	Faces   []Face
	Members []Embedding // all faces of the user, by ascending key
}

// UserChange is a change of a user's faces.
type UserChange struct {
	Add    []FaceKey // faces that belong to nobody
	Remove []FaceKey // faces of the user
	// the user's after the change; nil if no face is left. Ignored if nothing is added or removed
	Vector []float32
	Answer []byte // to the call, recorded under its token
}

// AssociationReason is the reason why a face's owner was not changed.
type AssociationReason string

// The reasons of the API.
const (
	ReasonFaceNotFound          AssociationReason = "FACE_NOT_FOUND"
	ReasonAssociatedToDifferent AssociationReason = "ASSOCIATED_TO_A_DIFFERENT_USER"
	ReasonLowMatchConfidence    AssociationReason = "LOW_MATCH_CONFIDENCE"
)

// FailedAssociation is a face whose owner was not changed.
type FailedAssociation struct {
	FaceID     string
	Reason     AssociationReason
	UserID     string  // of ReasonAssociatedToDifferent: the owner
	Confidence float32 // of ReasonLowMatchConfidence: similarity of the face and the user, 0 to 100
}

// AssociateFacesRequest is the request of [Service.AssociateFaces].
type AssociateFacesRequest struct {
	Realm        recollect.Realm
	CollectionID string
	UserID       string
	FaceIDs      []string // repeated ones count once
	Threshold    float32  // least similarity of a face and the user, 0 to 100
	Token        string   // of the client for this call; empty: none
}

// AssociateFacesResult has the faces named in a call, in the order of the request, each once. A
// face that belonged to the user already is in neither list.
type AssociateFacesResult struct {
	Changed []string // ids of the faces that were associated
	Failed  []FailedAssociation
	Status  UserStatus
}

// AssociateFaces makes faces of a collection belong to one of its users. If the user has faces,
// those named are compared with it as it was before the call, and fail below the threshold.
// CodeNotFound if there is no such collection or user; CodeQuota, and nothing changes, if the user
// would have too many faces; CodeIdempotentMismatch.
func (s *Service) AssociateFaces(ctx context.Context,
	req AssociateFacesRequest) (*AssociateFacesResult, error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	input := append([]string{req.UserID,
		strconv.FormatFloat(float64(req.Threshold), 'g', -1, 32)}, req.FaceIDs...)
	result, err := s.changeUser(ctx, c, req.UserID, req.FaceIDs,
		s.once(c, "AssociateFaces", req.Token, input...),
		func(state UserState, result *association) ([]Face, []Face, error) {
			add := result.associate(state, req.FaceIDs, req.Threshold, engine)
			if most := s.limits.FacesPerUser; len(add) > 0 && len(state.Members)+len(add) > most {
				return nil, nil, recollect.Errorf(recollect.CodeQuota,
					"A user cannot have more than %d faces", most)
			}
			return add, nil, nil
		})
	return (*AssociateFacesResult)(result), err
}

// DisassociateFacesRequest is the request of [Service.DisassociateFaces].
type DisassociateFacesRequest struct {
	Realm        recollect.Realm
	CollectionID string
	UserID       string
	FaceIDs      []string // repeated ones count once
	Token        string   // of the client for this call; empty: none
}

// DisassociateFacesResult has the faces named in a call, in the order of the request, each once. A
// face that belonged to nobody already is in neither list.
type DisassociateFacesResult struct {
	Changed []string // ids of the faces that were disassociated
	Failed  []FailedAssociation
	Status  UserStatus
}

// DisassociateFaces makes faces of a user belong to nobody; they stay in the collection.
// CodeNotFound if there is no such collection or user, CodeIdempotentMismatch.
func (s *Service) DisassociateFaces(ctx context.Context,
	req DisassociateFacesRequest) (*DisassociateFacesResult, error) {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	input := append([]string{req.UserID}, req.FaceIDs...)
	result, err := s.changeUser(ctx, c, req.UserID, req.FaceIDs,
		s.once(c, "DisassociateFaces", req.Token, input...),
		func(state UserState, result *association) ([]Face, []Face, error) {
			return nil, result.disassociate(state, req.FaceIDs), nil
		})
	return (*DisassociateFacesResult)(result), err
}

// association is the result of a change of a user's faces. Stores record it as JSON, for calls that
// are repeated: its fields must not be renamed.
type association struct {
	Changed []string
	Failed  []FailedAssociation
	Status  UserStatus
}

// changeUser adds and removes the faces that decide returns, which also sets the lists of the
// result.
func (s *Service) changeUser(ctx context.Context, c Collection, userID string, faceIDs []string,
	once recollect.Once,
	decide func(UserState, *association) (add, remove []Face, err error)) (*association, error) {
	answer, changed, err := s.users.ChangeUser(ctx, c.Key, userID, faceIDs, once,
		func(state UserState) (UserChange, error) {
			result := association{Status: state.User.Status()}
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
		// The change is stored, and must be in the index even if the request is cancelled now.
		if err := s.userIndex.update(context.WithoutCancel(ctx), c.Key, changed); err != nil {
			return nil, err
		}
	}
	result := new(association)
	if err := json.Unmarshal(answer, result); err != nil {
		return nil, fmt.Errorf("read the answer recorded: %w", err)
	}
	return result, nil
}

// associate returns the faces to add to the user, and sets the lists.
func (r *association) associate(state UserState, faceIDs []string, threshold float32,
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
			similarity := engine.Similarity(dot(state.User.Vector, f.Vector))
			if similarity < threshold {
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

// disassociate returns the faces to remove from the user, and sets the lists.
func (r *association) disassociate(state UserState, faceIDs []string) (remove []Face) {
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

// each calls f with the faces in the order of ids, each once. Those that the collection does not
// have are added to Failed.
func (r *association) each(state UserState, ids []string, f func(Face)) {
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

// change returns the change that adds and removes these faces, with the vector of those that the
// user has after it.
func (state UserState) change(add, remove []Face) UserChange {
	var change UserChange
	removed := make(map[VectorKey]bool, len(remove))
	for _, f := range remove {
		change.Remove = append(change.Remove, f.Key)
		removed[VectorKey(f.Key)] = true
	}
	members := slices.DeleteFunc(slices.Clone(state.Members),
		func(e Embedding) bool { return removed[e.Key] })
	for _, f := range add {
		change.Add = append(change.Add, f.Key)
		members = append(members, Embedding{Key: VectorKey(f.Key), Vector: f.Vector})
	}
	// The last digits of the sum depend on the order; the same faces must have the same vector.
	slices.SortFunc(members, func(a, b Embedding) int { return cmp.Compare(a.Key, b.Key) })
	vectors := make([][]float32, len(members))
	for i, e := range members {
		vectors[i] = e.Vector
	}
	change.Vector = Aggregate(vectors)
	return change
}
