package face

import "context"

// Engine is a loaded model pack: it detects faces in pictures and embeds them. Every method is safe
// for concurrent use.
type Engine interface {
	// Version is the face model version that collections keep, for example "7.0".
	Version() string

	// Detect decodes a JPEG or PNG picture, rotates it by its EXIF orientation and detects the
	// faces in it. CodeInvalidImageFormat if it is not such a picture or damaged; CodeImageTooLarge
	// if it has too many pixels; CodeInvalidParameter if a side is under 80 pixels. The bytes are
	// not retained.
	Detect(ctx context.Context, picture []byte, want Attributes) (Photo, error)

	// Similarity maps a cosine to the API's scale of 0 to 100. It never falls as the cosine rises,
	// and the same picture again gives 100.
	Similarity(cosine float32) float32

	// Cosine is the least cosine whose Similarity is at least the given one.
	Cosine(similarity float32) float32
}

// Photo is a decoded picture and the faces found in it.
type Photo interface {
	// Faces returns a copy of the faces, which is the caller's: at most 100, the largest box first.
	// A copy takes up to 2 MiB.
	Faces() []FaceDetail

	// Embed returns the L2-normalised vectors of the faces at these indexes of Faces, in the same
	// order.
	Embed(ctx context.Context, faces ...int) ([][]float32, error)

	// Thumbnail returns a small picture of the face at this index of Faces alone, upright, as a
	// JPEG.
	Thumbnail(face int) ([]byte, error)
}
