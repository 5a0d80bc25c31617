package admin

import "github.com/recollect-dev/recollect/internal/api/wire"

// Rules are the API's constraints of the names in an archive. Their errors are
// [*wire.ValidationError].
type Rules struct{}

// placeholder is a valid id for the required members of a request that are not checked.
const placeholder = "any"

// CheckCollection checks a collection's id and tags as CreateCollection does.
func (Rules) CheckCollection(id string, tags map[string]string) error {
	return wire.Validate(&wire.CreateCollectionRequest{CollectionId: &id, Tags: tags})
}

// CheckUser checks a user's id as CreateUser does.
func (Rules) CheckUser(id string) error {
	collection := placeholder
	return wire.Validate(&wire.CreateUserRequest{CollectionId: &collection, UserId: &id})
}

// CheckExternalImageID checks a face's external image id as IndexFaces does.
func (Rules) CheckExternalImageID(id string) error {
	collection := placeholder
	return wire.Validate(&wire.IndexFacesRequest{CollectionId: &collection, Image: &wire.Image{},
		ExternalImageId: &id})
}
