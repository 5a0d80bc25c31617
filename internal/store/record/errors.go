package record

import (
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The errors of a store that its callers get to see.

// NoCollectionError is the error of an operation on a collection that does not exist.
func NoCollectionError(id string) error {
	return recollect.Errorf(recollect.CodeNotFound, "The collection id: %s does not exist", id)
}

// DeletedCollectionError is the error of a change of a collection that has been deleted.
func DeletedCollectionError() error {
	return recollect.Errorf(recollect.CodeNotFound, "The collection does not exist")
}

// CollectionExistsError is the error of a collection whose id another one of the realm has.
func CollectionExistsError(id string) error {
	return recollect.Errorf(recollect.CodeAlreadyExists, "The collection id: %s already exists", id)
}

// TooManyCollectionsError is the error of one collection more than a realm may have.
func TooManyCollectionsError(most int64) error {
	return recollect.Errorf(recollect.CodeQuota,
		"The account cannot have more than %d collections in this region", most)
}

// NoFaceError is the error of a face that its collection does not have.
func NoFaceError() error {
	return recollect.Errorf(recollect.CodeNotFound, "faceId was not found in the collection.")
}

// TooManyFacesError is the error of one face more than a collection may have.
func TooManyFacesError(most int64) error {
	return recollect.Errorf(recollect.CodeQuota, "The collection cannot hold more than %d faces",
		most)
}

// NoThumbnailError is the error of a face without a thumbnail, or that its collection does not
// have.
func NoThumbnailError() error {
	return recollect.Errorf(recollect.CodeNotFound, "There is no thumbnail of this face.")
}

// NoUserError is the error of a user that its collection does not have.
func NoUserError(id string) error {
	return recollect.Errorf(recollect.CodeNotFound, "The user id: %s does not exist", id)
}

// UserExistsError is the error of a user whose id another one of the collection has.
func UserExistsError(id string) error {
	return recollect.Errorf(recollect.CodeConflict, "The user id: %s already exists", id)
}

// TooManyUsersError is the error of one user more than a collection may have.
func TooManyUsersError(most int64) error {
	return recollect.Errorf(recollect.CodeQuota, "The collection cannot hold more than %d users",
		most)
}

// WrongMembersError is the error of a change that found n of the many faces which it was to give
// to a user, or to take from it.
func WrongMembersError(n int64, many int) error {
	return fmt.Errorf("%d of %d faces could change their user", n, many)
}

// RepeatedIDError is the error of an import that has an id twice. The cause is the database's.
func RepeatedIDError(cause error) error {
	return &recollect.Error{Code: recollect.CodeConflict, Message: "An id is there twice",
		Err: cause}
}

// NoOwnerError is the error of an imported face whose user was not imported before.
func NoOwnerError() error {
	return recollect.Errorf(recollect.CodeInvalidParameter,
		"A face belongs to a user who is not there")
}

// CrowdedUserError is the error of an import in which a user has more faces than one may have.
func CrowdedUserError() error {
	return recollect.Errorf(recollect.CodeQuota, "A user cannot have more than %d faces",
		face.MaxFacesPerUser)
}

// WrongVectorError is the error of an import in which a user has faces and no vector, or a vector
// and no faces.
func WrongVectorError() error {
	return recollect.Errorf(recollect.CodeInvalidParameter,
		"A user has faces and no vector, or a vector and no faces")
}
