package record

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
)

// UserColumns are the columns that [ScanUser] reads.
const UserColumns = "key, user_id, system_id, created_ms, face_count"

// ScanUser reads a row of [UserColumns] and then of more columns into more.
func ScanUser(row Row, form IDForm, more ...any) (face.User, error) {
	var u face.User
	var system uuid.UUID
	var createdMillis int64
	err := row.Scan(append([]any{&u.Key, &u.ID, form(&system), &createdMillis, &u.FaceCount},
		more...)...)
	if err != nil {
		return face.User{}, err
	}
	u.SystemID, u.CreatedAt = system.String(), at(createdMillis)
	return u, nil
}

// ScanUserVector reads a row of [UserColumns], an encoding and a vector. The last two are NULL for
// a user without faces.
func ScanUserVector(row Row, form IDForm) (face.User, error) {
	var encoding *int
	var vector []byte
	u, err := ScanUser(row, form, &encoding, &vector)
	if err == nil && encoding != nil && vector != nil {
		u.Vector, err = DecodeVector(*encoding, vector)
	}
	return u, err
}

// SystemIDOf returns the system id of a user that is to be created.
func SystemIDOf(u face.User) (uuid.UUID, error) {
	id, ok := ParseID(u.SystemID)
	if !ok {
		return id, errors.New("the system id is not a lower-case UUID")
	}
	return id, nil
}

// CheckUserVector returns an error unless a user with so many faces may have this vector: a finite
// one if it has faces, and nil if it has none.
func CheckUserVector(faces int64, vector []float32) error {
	if (faces == 0) != (vector == nil) || !Finite(vector...) {
		return fmt.Errorf(
			"the vector of a user with %d faces is missing, superfluous or not finite", faces)
	}
	return nil
}
