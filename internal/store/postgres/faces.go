package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// faceColumns are those of the row f.
const faceColumns = `f.key, f.face_id, f.image_id, coalesce(f.external_image_id, ''), f.box_left,
	f.box_top, f.box_width, f.box_height, f.confidence,
	coalesce((SELECT user_id FROM users WHERE users.key = f.user_key), '')`

// thereIs holds while the collection with the key $1 has not been deleted.
const thereIs = "EXISTS (SELECT FROM collections WHERE key = $1)"

// uuidForm is the [record.IDForm] of ids, which are kept as uuid.
func uuidForm(id *uuid.UUID) any { return (*[16]byte)(id) }

// scanFace reads a row of faceColumns.
func scanFace(row record.Row) (face.Face, error) { return record.ScanFace(row, uuidForm) }

// scanFaceVector reads a row of faceColumns, an encoding and a vector.
func scanFaceVector(row record.Row) (face.Face, error) {
	return record.ScanFaceVector[[]byte](row, uuidForm)
}

// scanEmbedding reads a row of a key, an encoding and a vector.
func scanEmbedding(row record.Row) (face.Embedding, error) {
	return record.ScanEmbedding[[]byte](row)
}

// parseIDs returns those of the texts that are ids.
func parseIDs(texts []string) [][16]byte {
	ids := make([][16]byte, 0, len(texts))
	for _, text := range texts {
		if id, ok := record.ParseID(text); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// Faces implements [face.Store]. The filter's After must be empty or an id.
func (s *Store) Faces(ctx context.Context, c face.CollectionKey, filter face.FaceFilter,
	limit int) ([]face.Face, error) {
	if limit <= 0 {
		return nil, nil
	}
	query := "SELECT " + faceColumns + " FROM faces f WHERE f.collection_key = $1 AND " + thereIs
	args := []any{c}
	and := func(condition string, arg any) {
		args = append(args, arg)
		query += fmt.Sprintf(condition, len(args))
	}
	if filter.UserID != "" {
		and(" AND f.user_key = (SELECT key FROM users WHERE collection_key = $1 AND user_id = $%d)",
			filter.UserID)
	}
	if filter.WithoutUser {
		query += " AND f.user_key IS NULL"
	}
	if filter.After != "" {
		after, ok := record.ParseID(filter.After)
		if !ok {
			return nil, errors.New("list faces: the place to go on from is not a face's id")
		}
		and(" AND f.face_id > $%d", [16]byte(after))
	}
	if filter.IDs != nil {
		and(" AND f.face_id = ANY ($%d)", parseIDs(filter.IDs))
	}
	if filter.ImageIDs != nil {
		and(" AND f.image_id = ANY ($%d)", parseIDs(filter.ImageIDs))
	}
	if filter.ExternalImageIDs != nil {
		and(" AND f.external_image_id = ANY ($%d)", filter.ExternalImageIDs)
	}
	and(" ORDER BY f.face_id LIMIT $%d", limit)
	faces, err := readAll(ctx, s, scanFace, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list faces: %w", err)
	}
	return faces, nil
}

// FacesByKey implements [face.Store].
func (s *Store) FacesByKey(ctx context.Context, c face.CollectionKey,
	keys []face.FaceKey) (map[face.FaceKey]face.Face, error) {
	faces, err := readAll(ctx, s, scanFace, "SELECT "+faceColumns+
		" FROM faces f WHERE f.key = ANY ($2) AND f.collection_key = $1 AND "+thereIs, c,
		numbers(keys))
	if err != nil {
		return nil, fmt.Errorf("read faces: %w", err)
	}
	return record.ByKey(faces, func(f face.Face) face.FaceKey { return f.Key }), nil
}

// numbers are keys as the driver takes them.
func numbers[K ~int64](keys []K) []int64 {
	all := make([]int64, len(keys))
	for i, key := range keys {
		all[i] = int64(key)
	}
	return all
}

// Face implements [face.Store].
func (s *Store) Face(ctx context.Context, c face.CollectionKey, id string) (face.Face, error) {
	var f face.Face
	parsed, ok := record.ParseID(id)
	err := pgx.ErrNoRows
	if ok {
		f, err = readOne(ctx, s, scanFaceVector, "SELECT "+faceColumns+`, encoding, vector
			FROM faces f JOIN embeddings ON face_key = f.key
			WHERE f.collection_key = $1 AND f.face_id = $2 AND `+thereIs, c, [16]byte(parsed))
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.NoFaceError()
	}
	if err != nil {
		return face.Face{}, fmt.Errorf("read a face: %w", err)
	}
	return f, nil
}

// DeleteFaces implements [face.Store].
func (s *Store) DeleteFaces(ctx context.Context, c face.CollectionKey, ids []string) (deleted,
	kept []face.Face, err error) {
	parsed := parseIDs(ids)
	err = s.groups.do(ctx, c, &change{apply: func(ctx context.Context, l *locked) error {
		deleted, kept = nil, nil
		if !l.found {
			return nil
		}
		rows, err := l.conn.Query(ctx, "SELECT "+faceColumns+` FROM faces f
			WHERE f.user_key IS NOT NULL AND f.collection_key = $1 AND f.face_id = ANY ($2)`, c,
			parsed)
		if kept, err = collect(rows, err, scanFace); err != nil {
			return err
		}
		rows, err = l.conn.Query(ctx, `DELETE FROM faces f
			WHERE f.user_key IS NULL AND f.collection_key = $1 AND f.face_id = ANY ($2)
			RETURNING `+faceColumns, c, parsed)
		if deleted, err = collect(rows, err, scanFace); err != nil {
			return err
		}
		l.removed(int64(len(deleted)))
		return nil
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("delete faces: %w", err)
	}
	return record.InOrder(deleted, ids), record.InOrder(kept, ids), nil
}

// Embeddings implements [face.Store]. It holds a connection while it is read.
func (s *Store) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return stream(ctx, s, scanEmbedding, `SELECT face_key, encoding, vector FROM embeddings
		WHERE collection_key = $1 AND `+thereIs, c)
}

// EmbeddingKeys yields the keys of the faces that Embeddings would yield, in ascending order.
func (s *Store) EmbeddingKeys(ctx context.Context, c face.CollectionKey) iter.Seq2[face.VectorKey,
	error] {
	return stream(ctx, s, scanValue[face.VectorKey], `SELECT face_key FROM embeddings
		WHERE collection_key = $1 AND `+thereIs+" ORDER BY face_key", c)
}

// EmbeddingsByKey yields those of some faces' vectors that are still there, in ascending order of
// their keys.
func (s *Store) EmbeddingsByKey(ctx context.Context, c face.CollectionKey,
	keys []face.VectorKey) iter.Seq2[face.Embedding, error] {
	return stream(ctx, s, scanEmbedding, `SELECT face_key, encoding, vector FROM embeddings
		WHERE collection_key = $1 AND face_key = ANY ($2) AND `+thereIs+" ORDER BY face_key", c,
		numbers(keys))
}

// HighestFaceKey is the highest key that a face was ever given, or a higher one; 0 if there was
// none.
func (s *Store) HighestFaceKey(ctx context.Context) (face.VectorKey, error) {
	key, err := readOne(ctx, s, scanValue[face.VectorKey],
		"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM face_keys")
	if err != nil {
		return 0, fmt.Errorf("read the highest key of a face: %w", err)
	}
	return key, nil
}

// stream yields the rows of a query as they arrive, however many.
func stream[T any](ctx context.Context, s *Store, scan func(record.Row) (T, error), query string,
	args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := s.long(ctx, func(conn *pgx.Conn) error {
			return streamTo(ctx, conn, func(row record.Row) error {
				value, err := scan(row)
				if err == nil && !yield(value, nil) {
					stopped, err = true, errStopped
				}
				return err
			}, query, args...)
		})
		if err != nil && !stopped {
			var none T
			yield(none, fmt.Errorf("read vectors: %w", err))
		}
	}
}

// errStopped ends the reading of rows that are not wanted any more.
var errStopped = errors.New("no more rows are wanted")

// streamTo calls each with the rows of a query, in a transaction without a limit of its time.
func streamTo(ctx context.Context, conn *pgx.Conn, each func(record.Row) error, query string,
	args ...any) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, query, args...)
	return walk(rows, err, each)
}
