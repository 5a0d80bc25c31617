package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// Vectors are the vectors of collections, of faces or of users, as an index follows them.
type Vectors struct {
	store             *Store
	table, key, count string
}

// FaceVectors are the vectors of faces.
func (s *Store) FaceVectors() Vectors { return Vectors{s, "embeddings", "face_key", "face_count"} }

// UserVectorChanges are the vectors of users.
func (s *Store) UserVectorChanges() Vectors {
	return Vectors{s, "user_vectors", "user_key", "user_count"}
}

// All implements the source of an index.
func (v Vectors) All(ctx context.Context, c face.CollectionKey,
	at func(face.Position)) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		stopped := false
		err := v.store.long(ctx, func(conn *pgx.Conn) error {
			tx, err := beginMoment(ctx, conn)
			if err != nil {
				return err
			}
			defer tx.Rollback(context.WithoutCancel(ctx))
			position, err := positionOf(ctx, conn, c)
			if recollect.CodeOf(err) == recollect.CodeNotFound {
				return nil // it has no vectors
			}
			if err != nil {
				return err
			}
			at(position)
			rows, err := tx.Query(ctx, "SELECT "+v.key+", encoding, vector FROM "+v.table+
				" WHERE collection_key = $1 AND vector IS NOT NULL", c)
			return walk(rows, err, func(row record.Row) error {
				e, err := scanEmbedding(row)
				if err == nil && !yield(e, nil) {
					stopped, err = true, errStopped
				}
				return err
			})
		})
		if err != nil && !stopped {
			yield(face.Embedding{}, fmt.Errorf("read vectors: %w", err))
		}
	}
}

// positionOf reads the position of a collection.
func positionOf(ctx context.Context, conn *pgx.Conn, c face.CollectionKey) (face.Position, error) {
	p := face.Position{History: historyOf(conn)}
	err := conn.QueryRow(ctx, "SELECT version, stamp FROM collections WHERE key = $1", c).Scan(
		&p.Version, &p.Stamp)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.DeletedCollectionError()
	}
	return p, err
}

// pullPage is how many changed vectors one statement reads: few enough for its time limit.
const pullPage = 8192

// Since implements the source of an index. Each page is read together with the version at that
// moment: vectors that change later have higher positions than all of the page.
func (v Vectors) Since(ctx context.Context, c face.CollectionKey, earlier face.Position,
	each func(face.Embedding) error) (now face.Position, err error) {
	err = v.store.again(ctx, func() (bool, error) {
		return v.store.with(ctx, func(conn *pgx.Conn) error {
			now, err = v.since(ctx, conn, c, earlier, each)
			return err
		})
	})
	if err != nil {
		return face.Position{}, fmt.Errorf("read changed vectors: %w", err)
	}
	return now, nil
}

func (v Vectors) since(ctx context.Context, conn *pgx.Conn, c face.CollectionKey,
	earlier face.Position, each func(face.Embedding) error) (now face.Position, err error) {
	last := earlier.Version
	for rows := pullPage; rows == pullPage; {
		rows = 0
		now = face.Position{History: historyOf(conn)}
		found, err := conn.Query(ctx, "SELECT version, stamp, seq, "+v.key+`, encoding, vector
			FROM collections LEFT JOIN LATERAL (SELECT * FROM `+v.table+`
				WHERE collection_key = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS changed ON true
			WHERE collections.key = $1 ORDER BY seq`, c, last, pullPage)
		err = walk(found, err, func(row record.Row) error {
			var seq *int64
			var key *face.VectorKey
			var encoding *int
			var vector []byte
			if err := row.Scan(&now.Version, &now.Stamp, &seq, &key, &encoding,
				&vector); err != nil {
				return err
			}
			rows++
			if !now.Holds(earlier) {
				return errStopped
			}
			if key == nil {
				return nil
			}
			last = *seq
			e := face.Embedding{Key: *key}
			if vector != nil {
				if e.Vector, err = record.DecodeVector(*encoding, vector); err != nil {
					return err
				}
			}
			return each(e)
		})
		switch {
		case errors.Is(err, errStopped):
			return now, nil
		case err != nil:
			return now, err
		case rows == 0:
			return now, record.DeletedCollectionError()
		}
	}
	return now, nil
}

// Now implements the source of an index.
func (v Vectors) Now(ctx context.Context, c face.CollectionKey,
	keys []face.VectorKey) (now face.Position, vectors []face.Embedding, err error) {
	err = v.store.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		// A vector that is read after its position is at least as new.
		if now, err = positionOf(ctx, conn, c); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, "SELECT "+v.key+", encoding, vector FROM "+v.table+" WHERE "+
			v.key+" = ANY ($2) AND collection_key = $1 AND vector IS NOT NULL", c, numbers(keys))
		vectors, err = collect(rows, err, scanEmbedding)
		return err
	})
	if err != nil {
		return face.Position{}, nil, fmt.Errorf("read vectors: %w", err)
	}
	return now, vectors, nil
}

// Sizes implements the source of an index.
func (v Vectors) Sizes(ctx context.Context,
	cs []face.CollectionKey) (map[face.CollectionKey]face.VectorSize, error) {
	sizes := make(map[face.CollectionKey]face.VectorSize)
	_, err := readAll(ctx, v.store, func(row record.Row) (_ struct{}, err error) {
		var c face.CollectionKey
		var size face.VectorSize
		err = row.Scan(&c, &size.Version, &size.Most)
		sizes[c] = size
		return struct{}{}, err
	}, "SELECT key, version, "+v.count+" FROM collections WHERE key = ANY ($1)", numbers(cs))
	if err != nil {
		return nil, fmt.Errorf("read the sizes of collections: %w", err)
	}
	return sizes, nil
}
