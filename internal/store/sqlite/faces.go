package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

const faceColumns = `key, face_id, image_id, coalesce(external_image_id, ''),
	box_left, box_top, box_width, box_height, confidence,
	coalesce((SELECT user_id FROM users WHERE users.key = faces.user_key), '')`

// thereIs holds while the collection with the key :c has not been deleted.
const thereIs = "EXISTS (SELECT 1 FROM collections WHERE key = :c)"

// scanFace reads a row of faceColumns.
func scanFace(row record.Row) (face.Face, error) { return record.ScanFace(row, blob) }

// scanFaceVector reads a row of faceColumns, an encoding and a vector.
func scanFaceVector(row record.Row) (face.Face, error) {
	return record.ScanFaceVector[sql.RawBytes](row, blob)
}

// scanEmbedding reads a row of a key, an encoding and a vector.
func scanEmbedding(row record.Row) (face.Embedding, error) {
	return record.ScanEmbedding[sql.RawBytes](row)
}

// blob is the [record.IDForm] of ids, which are kept as BLOBs.
func blob(id *uuid.UUID) any { return (*blobID)(id) }

// blobID scans a UUID from its 16 bytes. (uuid.UUID itself takes a text in a BLOB as well.)
type blobID uuid.UUID

func (id *blobID) Scan(value any) error {
	b, ok := value.([]byte)
	if !ok || len(b) != len(id) {
		return errors.New("an id is not 16 bytes")
	}
	copy(id[:], b)
	return nil
}

// AddFaces implements [face.Store]. A new face keeps its Vector; one that was stored before comes
// without. It fails if the vectors of the collection's faces would differ in their dimension.
func (s *Store) AddFaces(ctx context.Context, c face.CollectionKey, faces []face.Face,
	maxFaces int64) ([]face.Face, []bool, error) {
	records, err := record.NewFaces(faces)
	if err != nil {
		return nil, nil, fmt.Errorf("add faces: %w", err)
	}
	kept := make([]face.Face, len(records))
	isNew := make([]bool, len(records))
	err = s.writer.do(ctx, func(t tx) error {
		var count, added int64
		err := t.queryRow("SELECT face_count FROM collections WHERE key = ?", c).Scan(&count)
		if errors.Is(err, sql.ErrNoRows) {
			return record.DeletedCollectionError()
		}
		if err != nil {
			return err
		}
		dimension, err := t.dimension(c)
		if err != nil {
			return err
		}
		for i, r := range records {
			if dimension, err = record.SameDimension(dimension, r.Face.Vector); err != nil {
				return fmt.Errorf("face %d: %w", i, err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if kept[i], isNew[i], err = addFace(t, c, r); err != nil {
				return err
			}
			if isNew[i] {
				added++
			}
			if isNew[i] && count+added > maxFaces {
				return record.TooManyFacesError(maxFaces)
			}
		}
		_, err = t.exec("UPDATE collections SET face_count = face_count + ? WHERE key = ?", added,
			c)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("add faces: %w", err)
	}
	return kept, isNew, nil
}

// addFace stores a face, or finds it stored.
func addFace(t tx, c face.CollectionKey, r record.Face) (_ face.Face, isNew bool, err error) {
	box := r.Face.BoundingBox
	if r.ExternalID != nil {
		old, err := scanFace(t.queryRow("SELECT "+faceColumns+` FROM faces
			WHERE collection_key = ? AND image_id = ? AND external_image_id = ?
			AND box_left = ? AND box_top = ? AND box_width = ? AND box_height = ?
			ORDER BY key LIMIT 1`,
			c, r.Image[:], r.ExternalID, box.Left, box.Top, box.Width, box.Height))
		if err == nil {
			return old, false, addThumbnail(t, old.Key, r.Face.Thumbnail)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return face.Face{}, false, err
		}
	}
	result, err := t.exec(`INSERT INTO faces
		(collection_key, face_id, image_id, external_image_id,
		box_left, box_top, box_width, box_height, confidence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c, r.ID[:], r.Image[:], r.ExternalID, box.Left, box.Top, box.Width, box.Height,
		r.Face.Confidence)
	if err != nil {
		return face.Face{}, false, err
	}
	key, err := result.LastInsertId()
	if err != nil {
		return face.Face{}, false, err
	}
	r.Face.Key = face.FaceKey(key)
	if _, err := t.exec("INSERT INTO embeddings (face_key, encoding, vector) VALUES (?, ?, ?)", key,
		record.EncodingFloat32, r.Vector); err != nil {
		return face.Face{}, false, err
	}
	return r.Face, true, addThumbnail(t, r.Face.Key, r.Face.Thumbnail)
}

// Faces implements [face.Store]. The filter's After must be empty or an id.
func (s *Store) Faces(ctx context.Context, c face.CollectionKey, filter face.FaceFilter,
	limit int) ([]face.Face, error) {
	if limit <= 0 {
		return nil, nil
	}
	query, args, err := facesQuery(c, filter, limit)
	if err != nil {
		return nil, fmt.Errorf("list faces: %w", err)
	}
	rows, err := s.readers.QueryContext(ctx, query, args...)
	faces, err := collect(rows, err, scanFace)
	if err != nil {
		return nil, fmt.Errorf("list faces: %w", err)
	}
	return faces, nil
}

// facesQuery returns the query of a page of faces. A + keeps an index out of use that has all the
// faces of the collection in their order, where another finds the few that the filter names.
func facesQuery(c face.CollectionKey, filter face.FaceFilter, limit int) (query string, args []any,
	err error) {
	collection, id := "collection_key", "face_id"
	var where string
	if filter.UserID != "" {
		collection = "+collection_key"
		where += " AND user_key = (SELECT key FROM users WHERE collection_key = :c AND user_id = " +
			":user)"
		args = append(args, sql.Named("user", filter.UserID))
	}
	if filter.WithoutUser {
		where += " AND +user_key IS NULL"
	}
	if filter.ImageIDs != nil {
		id = "+face_id"
		where += " AND image_id IN (SELECT unhex(value, '-') FROM json_each(:images))"
		args = append(args, sql.Named("images", parseIDs(filter.ImageIDs)))
	}
	if filter.ExternalImageIDs != nil {
		id = "+face_id"
		where += " AND external_image_id IN (SELECT value FROM json_each(:externals))"
		args = append(args, sql.Named("externals", toJSON(filter.ExternalImageIDs)))
	}
	if filter.After != "" {
		after, ok := record.ParseID(filter.After)
		if !ok {
			return "", nil, errors.New("the place to go on from is not a face's id")
		}
		where += " AND " + id + " > :after"
		args = append(args, sql.Named("after", after[:]))
	}
	if filter.IDs != nil {
		where += " AND face_id IN (SELECT unhex(value, '-') FROM json_each(:ids))"
		args = append(args, sql.Named("ids", parseIDs(filter.IDs)))
	}
	return "SELECT " + faceColumns + " FROM faces WHERE " + collection + " = :c AND " + thereIs +
			where + " ORDER BY " + id + " LIMIT :limit", append(args, sql.Named("c", c),
			sql.Named("limit", limit)), nil
}

// FacesByKey implements [face.Store].
func (s *Store) FacesByKey(ctx context.Context, c face.CollectionKey,
	keys []face.FaceKey) (map[face.FaceKey]face.Face, error) {
	rows, err := s.readers.QueryContext(ctx,
		"SELECT "+faceColumns+
			" FROM faces WHERE key IN (SELECT value FROM json_each(:keys)) AND collection_key = "+
			":c AND "+thereIs,
		sql.Named("keys", toJSON(keys)), sql.Named("c", c))
	faces, err := collect(rows, err, scanFace)
	if err != nil {
		return nil, fmt.Errorf("read faces: %w", err)
	}
	return record.ByKey(faces, func(f face.Face) face.FaceKey { return f.Key }), nil
}

// Face implements [face.Store].
func (s *Store) Face(ctx context.Context, c face.CollectionKey, id string) (face.Face, error) {
	f, err := s.face(ctx, c, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = record.NoFaceError()
	}
	if err != nil {
		return face.Face{}, fmt.Errorf("read a face: %w", err)
	}
	return f, nil
}

func (s *Store) face(ctx context.Context, c face.CollectionKey, id string) (face.Face, error) {
	parsed, ok := record.ParseID(id)
	if !ok {
		return face.Face{}, sql.ErrNoRows
	}
	// Unlike rows, a single row cannot be scanned into sql.RawBytes.
	return record.ScanFaceVector[[]byte](s.readers.QueryRowContext(ctx,
		"SELECT "+faceColumns+`, encoding, vector FROM faces JOIN embeddings ON face_key = key
		WHERE collection_key = :c AND face_id = :id AND `+thereIs,
		sql.Named("c", c), sql.Named("id", parsed[:])), blob)
}

// DeleteFaces implements [face.Store].
func (s *Store) DeleteFaces(ctx context.Context, c face.CollectionKey, ids []string) (deleted,
	kept []face.Face, err error) {
	named := " collection_key = :c AND " + thereIs +
		" AND face_id IN (SELECT unhex(value, '-') FROM json_each(:ids))"
	args := []any{sql.Named("c", c), sql.Named("ids", parseIDs(ids))}
	err = s.writer.do(ctx, func(t tx) (err error) {
		rows, err := t.query("SELECT "+faceColumns+" FROM faces WHERE user_key IS NOT NULL AND"+
			named, args...)
		kept, err = collect(rows, err, scanFace)
		if err != nil {
			return err
		}
		rows, err = t.query("DELETE FROM faces WHERE user_key IS NULL AND"+named+" RETURNING "+
			faceColumns, args...)
		deleted, err = collect(rows, err, scanFace)
		if err != nil {
			return err
		}
		_, err = t.exec("UPDATE collections SET face_count = face_count - ? WHERE key = ?",
			len(deleted), c)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("delete faces: %w", err)
	}
	s.wakeSweeper()
	return record.InOrder(deleted, ids), record.InOrder(kept, ids), nil
}

// Embeddings implements [face.Store]. It holds one of the readers' connections while it is read.
func (s *Store) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return s.vectors(ctx, `SELECT face_key, encoding, vector
		FROM faces JOIN embeddings ON face_key = key WHERE collection_key = :c AND `+thereIs+
		` ORDER BY key`, c)
}

// EmbeddingKeys yields the keys of the faces that Embeddings would yield, in ascending order. A
// million of them are read before a first search, so they leave SQLite by the thousand, as one
// text: row by row they would take five times as long.
func (s *Store) EmbeddingKeys(ctx context.Context, c face.CollectionKey) iter.Seq2[face.VectorKey,
	error] {
	return func(yield func(face.VectorKey, error) bool) {
		if err := s.embeddingKeys(ctx, c,
			func(key face.VectorKey) bool { return yield(key, nil) }); err != nil {
			yield(0, fmt.Errorf("read keys: %w", err))
		}
	}
}

func (s *Store) embeddingKeys(ctx context.Context, c face.CollectionKey,
	yield func(face.VectorKey) bool) error {
	// so that all are of one moment
	t, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer t.Rollback()
	const many = 16384
	var keys []face.VectorKey
	for after := face.VectorKey(0); ; after = keys[len(keys)-1] {
		keys, err = appendKeysAfter(ctx, t, keys[:0], c, after, many)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !yield(key) {
				return nil
			}
		}
		if len(keys) < many {
			return nil
		}
	}
}

// appendKeysAfter appends the lowest keys above after of faces in the collection, at most many and
// in ascending order.
func appendKeysAfter(ctx context.Context, t *sql.Tx, keys []face.VectorKey, c face.CollectionKey,
	after face.VectorKey, many int) ([]face.VectorKey, error) {
	// Each row of a result costs calls into SQLite; one row with all the keys is read faster.
	rows, err := t.QueryContext(ctx, `SELECT group_concat(key) FROM
		(SELECT key FROM faces WHERE collection_key = :c AND key > :after AND `+thereIs+`
		ORDER BY key LIMIT :many)`,
		sql.Named("c", c), sql.Named("after", after), sql.Named("many", many))
	if err != nil {
		return keys, err
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return keys, err
		}
		if keys, err = appendKeys(keys, text); err != nil {
			return keys, err
		}
	}
	slices.Sort(keys) // which SQLite does not promise
	return keys, rows.Err()
}

// appendKeys reads numbers with commas between them.
func appendKeys(keys []face.VectorKey, text []byte) ([]face.VectorKey, error) {
	var key face.VectorKey
	for i, b := range text {
		switch {
		case '0' <= b && b <= '9':
			key = 10*key + face.VectorKey(b-'0')
		case b == ',':
			keys, key = append(keys, key), 0
		default:
			return nil, fmt.Errorf("a key has the character %q", b)
		}
		if i == len(text)-1 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// EmbeddingsByKey yields those of some faces' vectors that are still there, in ascending order of
// their keys.
func (s *Store) EmbeddingsByKey(ctx context.Context, c face.CollectionKey,
	keys []face.VectorKey) iter.Seq2[face.Embedding, error] {
	return s.vectors(ctx, `SELECT face_key, encoding, vector
		FROM faces JOIN embeddings ON face_key = key
		WHERE key IN (SELECT value FROM json_each(:keys)) AND collection_key = :c AND `+thereIs+
		` ORDER BY key`, c, sql.Named("keys", toJSON(keys)))
}

// HighestFaceKey is the highest key that a face was ever given, 0 if there was none.
func (s *Store) HighestFaceKey(ctx context.Context) (face.VectorKey, error) {
	var key face.VectorKey
	if err := s.readers.QueryRowContext(ctx,
		"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'faces'").Scan(
		&key); err != nil {
		return 0, fmt.Errorf("read the highest key of a face: %w", err)
	}
	return key, nil
}

// vectors yields what a query for a key, an encoding and a vector finds in the collection :c.
func (s *Store) vectors(ctx context.Context, query string, c face.CollectionKey,
	more ...any) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		rows, err := s.readers.QueryContext(ctx, query, append(more, sql.Named("c", c))...)
		if err != nil {
			yield(face.Embedding{}, fmt.Errorf("read vectors: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanEmbedding(rows)
			if err != nil {
				yield(face.Embedding{}, fmt.Errorf("read vectors: %w", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(face.Embedding{}, fmt.Errorf("read vectors: %w", err))
		}
	}
}
