package record

import (
	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// HiddenAccount is the account of collections that are being imported, so that nobody finds them.
// No caller's account is empty.
const HiddenAccount = ""

// Hidden returns a collection under a new name in [HiddenAccount].
func Hidden(c face.Collection) face.Collection {
	c.Realm = recollect.Realm{Account: HiddenAccount, Region: c.Realm.Region}
	c.ID = uuid.NewString()
	return c
}

// ImportedUser is a user in the form in which it is kept.
type ImportedUser struct {
	User     face.User
	SystemID uuid.UUID
	Vector   []byte // in [EncodingFloat32]; nil: none
}

// ImportedUsers returns the form of users that are imported, and the dimension that their vectors
// have in common with those before, as [SameDimension] does. CodeInvalidParameter if the dimensions
// differ or an id is not one.
func ImportedUsers(users []face.User, dimension int) ([]ImportedUser, int, error) {
	imported := make([]ImportedUser, len(users))
	for n, u := range users {
		var err error
		if imported[n].SystemID, err = SystemIDOf(u); err != nil {
			return nil, 0, recollect.Errorf(recollect.CodeInvalidParameter,
				"A user's system id is not a lower-case UUID")
		}
		imported[n].User = u
		if u.Vector == nil {
			continue
		}
		if dimension, err = importedDimension(dimension, u.Vector); err != nil {
			return nil, 0, err
		}
		imported[n].Vector = EncodeVector(u.Vector)
	}
	return imported, dimension, nil
}

// ImportedFaces returns the form of faces that are imported, and the dimension that their vectors
// have in common with those before, as [SameDimension] does. CodeInvalidParameter if the dimensions
// differ or a face is not one that [NewFace] accepts.
func ImportedFaces(faces []face.Face, dimension int) ([]Face, int, error) {
	imported := make([]Face, len(faces))
	for n, f := range faces {
		var err error
		if dimension, err = importedDimension(dimension, f.Vector); err != nil {
			return nil, 0, err
		}
		if imported[n], err = NewFace(f); err != nil {
			return nil, 0, &recollect.Error{Code: recollect.CodeInvalidParameter,
				Message: "A face is not one that a server keeps", Err: err}
		}
	}
	return imported, dimension, nil
}

func importedDimension(dimension int, vector []float32) (int, error) {
	dimension, err := SameDimension(dimension, vector)
	if err != nil {
		return 0, &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "The vectors of a collection differ in their dimension", Err: err}
	}
	return dimension, nil
}
