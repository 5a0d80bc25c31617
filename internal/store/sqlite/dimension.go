package sqlite

import (
	"database/sql"
	"errors"

	"github.com/recollect-dev/recollect/internal/face"
)

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
	return bytes / 4, err // record.EncodingFloat32
}
