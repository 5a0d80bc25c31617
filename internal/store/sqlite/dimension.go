package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
)

// sameDimension returns the dimension that vectors have in common with a collection's, which is 0
// if there are none yet. Vectors of different dimensions cannot be compared, so that one of them
// would make each search of its collection fail.
func sameDimension(dimension int, vectors ...[]float32) (int, error) {
	for _, v := range vectors {
		switch {
		case len(v) == 0:
			return 0, errors.New("a vector has no numbers")
		case dimension == 0:
			dimension = len(v)
		case len(v) != dimension:
			return 0, fmt.Errorf("a vector has %d numbers, and those of its collection have %d",
				len(v), dimension)
		}
	}
	return dimension, nil
}

// dimension returns how many numbers the vectors of a collection's faces have, 0 if it has no face.
// Users have vectors only where there are faces.
func (t tx) dimension(c face.CollectionKey) (int, error) {
	var bytes int
	// SQLite reads the length from the row's head, without the vector.
	err := t.queryRow("SELECT length(vector) FROM faces JOIN embeddings ON face_key = key "+
		"WHERE collection_key = ? LIMIT 1", c).Scan(&bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return bytes / 4, err // encodingFloat32
}
