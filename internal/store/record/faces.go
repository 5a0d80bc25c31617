package record

import (
	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
)

// ScanFace reads a row of a face and then of more columns into more. The columns of the face are
// its key, id, image id, external image id, the four numbers of its box, confidence, and the id of
// its user; the texts are empty where there is none.
func ScanFace(row Row, form IDForm, more ...any) (face.Face, error) {
	var f face.Face
	var id, image uuid.UUID
	box := &f.BoundingBox
	err := row.Scan(append([]any{&f.Key, form(&id), form(&image), &f.ExternalImageID, &box.Left,
		&box.Top, &box.Width, &box.Height, &f.Confidence, &f.UserID}, more...)...)
	if err != nil {
		return face.Face{}, err
	}
	f.ID, f.ImageID = id.String(), image.String()
	return f, nil
}

// ScanFaceVector reads a row as [ScanFace] does, and then an encoding and a vector. B is the type
// of the bytes that the driver is to make: sql.RawBytes are not copied.
func ScanFaceVector[B ~[]byte](row Row, form IDForm) (face.Face, error) {
	var encoding int
	var vector B
	f, err := ScanFace(row, form, &encoding, &vector)
	if err == nil {
		f.Vector, err = DecodeVector(encoding, vector)
	}
	return f, err
}

// ScanEmbedding reads a row of a key, an encoding and a vector. B is as for [ScanFaceVector].
func ScanEmbedding[B ~[]byte](row Row) (e face.Embedding, err error) {
	var encoding int
	var vector B
	if err = row.Scan(&e.Key, &encoding, &vector); err == nil {
		e.Vector, err = DecodeVector(encoding, vector)
	}
	return e, err
}

// InOrder returns faces in the order of ids, of which some may be unknown or repeated.
func InOrder(faces []face.Face, ids []string) []face.Face {
	byID := ByKey(faces, func(f face.Face) string { return f.ID })
	ordered := make([]face.Face, 0, len(faces))
	for _, id := range ids {
		if f, ok := byID[id]; ok {
			ordered = append(ordered, f)
			delete(byID, id)
		}
	}
	return ordered
}
