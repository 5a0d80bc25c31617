package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// incoming is a collection that is being imported with its faces and users, in any number of parts.
// It cannot be found until it is published as a whole; one that is not published, for example
// because the process ended, is deleted.
type incoming struct {
	store     *Store
	key       face.CollectionKey
	goal      face.Collection
	dimension int // of the vectors that came, 0 before the first
	done      bool
}

// NewImport begins to import a collection, whose Realm, ID, FaceModelVersion and CreatedAt are
// given. The caller ends it by Publish or Abandon.
func (s *Store) NewImport(ctx context.Context, c face.Collection, tags map[string]string) (
	transfer.Import, error) {
	hidden := record.Hidden(c)
	var created face.Collection
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if created, err = insertCollection(ctx, tx, hidden, tags); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO imports (collection_key, node) VALUES ($1, $2)",
			created.Key, s.node)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin an import: %w", err)
	}
	return &incoming{store: s, key: created.Key, goal: c}, nil
}

// AddUsers adds users with their ids, SystemID, CreatedAt and Vector, which is nil for one without
// faces. CodeConflict if an id is there already, CodeInvalidParameter if the vectors of the import
// would differ in their dimension.
func (i *incoming) AddUsers(ctx context.Context, users []face.User) error {
	records, dimension, err := record.ImportedUsers(users, i.dimension)
	if err != nil {
		return fmt.Errorf("import users: %w", err)
	}
	return i.add(ctx, "users", dimension, func(ctx context.Context, l *locked) error {
		var ids, withVectors []string
		var systems [][16]byte
		var vectors [][]byte
		var created, seqs []int64
		for _, r := range records {
			ids, systems = append(ids, r.User.ID), append(systems, r.SystemID)
			created = append(created, r.User.CreatedAt.UnixMilli())
			if r.Vector != nil {
				withVectors, vectors = append(withVectors, r.User.ID), append(vectors, r.Vector)
				seqs = append(seqs, l.nextSeq())
			}
		}
		_, err := l.conn.Exec(ctx, `INSERT INTO users
			(collection_key, user_id, system_id, created_ms)
			SELECT $1, id, system, created FROM unnest($2::text[], $3::uuid[], $4::bigint[])
				AS row (id, system, created)`, i.key, ids, systems, created)
		if err != nil {
			return twice(err)
		}
		l.users += int64(len(users))
		_, err = l.conn.Exec(ctx,
			`INSERT INTO user_vectors (user_key, collection_key, seq, encoding, vector)
			SELECT key, $1, seq, $2, vector FROM unnest($3::text[], $4::bigint[], $5::bytea[])
				AS row (id, seq, vector) JOIN users ON collection_key = $1 AND user_id = id`, i.key,
			record.EncodingFloat32, withVectors, seqs, vectors)
		return err
	})
}

// AddFaces adds faces with their ids, vectors, thumbnails and the ids of the users that have them,
// who are there already. CodeConflict if an id is there already, CodeInvalidParameter if the
// vectors of the import would differ in their dimension.
func (i *incoming) AddFaces(ctx context.Context, faces []face.Face) error {
	records, dimension, err := record.ImportedFaces(faces, i.dimension)
	if err != nil {
		return fmt.Errorf("import faces: %w", err)
	}
	return i.add(ctx, "faces", dimension, func(ctx context.Context, l *locked) error {
		var users []string // of the faces that have one
		var owned [][16]byte
		rows := new(newRows)
		var keys []int64
		batch := new(pgx.Batch)
		batch.Queue("SELECT nextval('face_keys') FROM generate_series(1, $1::int)",
			len(records)).Query(func(rows pgx.Rows) (err error) {
			keys, err = collect(rows, nil, scanValue[int64])
			return err
		})
		if err := l.conn.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		for n, r := range records {
			rows.add(r, keys[n], l.nextSeq())
			rows.addThumbnail(keys[n], r.Face.Thumbnail)
			if r.Face.UserID != "" {
				users, owned = append(users, r.Face.UserID), append(owned, r.ID)
			}
		}
		batch = new(pgx.Batch)
		rows.queue(batch, i.key)
		if err := l.conn.SendBatch(ctx, batch).Close(); err != nil {
			return twice(err)
		}
		l.faces += int64(len(records))
		if len(users) == 0 {
			return nil
		}
		tag, err := l.conn.Exec(ctx, `UPDATE faces SET user_key = users.key
			FROM unnest($2::uuid[], $3::text[]) AS row (face, owner)
			JOIN users ON users.collection_key = $1 AND users.user_id = owner
			WHERE faces.collection_key = $1 AND face_id = face`, i.key, owned, users)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != int64(len(users)) {
			return record.NoOwnerError()
		}
		_, err = l.conn.Exec(ctx, `UPDATE users SET face_count = face_count + n
			FROM (SELECT owner, count(*) AS n FROM unnest($2::text[]) AS owner GROUP BY owner) AS o
			WHERE collection_key = $1 AND user_id = owner`, i.key, users)
		return err
	})
}

// add makes a change that brings vectors of this dimension with it.
func (i *incoming) add(ctx context.Context, what string, dimension int,
	apply func(context.Context, *locked) error) error {
	err := i.store.groups.do(ctx, i.key, &change{
		apply: func(ctx context.Context, l *locked) error {
			if !l.found {
				return errors.New("the import was abandoned")
			}
			l.dimension = dimension
			return apply(ctx, l)
		}})
	if err != nil {
		return fmt.Errorf("import %s: %w", what, err)
	}
	i.dimension = dimension
	return nil
}

// twice maps the error of a repeated id, and returns other errors as they are.
func twice(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23505" {
		return record.RepeatedIDError(err)
	}
	return err
}

// Publish makes the collection one of its realm. CodeAlreadyExists if the realm has one with that
// id, CodeQuota if it would have more than maxCollections, where 0 stands for no limit, or a user
// more faces than one may have; CodeInvalidParameter if a user with faces has no vector or one
// without has.
func (i *incoming) Publish(ctx context.Context, maxCollections int64) (face.Collection, error) {
	var published face.Collection
	realm := i.goal.Realm
	err := i.store.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := lockRealmOf(ctx, tx, realm); err != nil {
			return err
		}
		var exists, crowded, wrong bool
		err := tx.QueryRow(ctx, `SELECT
			EXISTS (SELECT FROM collections WHERE account = $1 AND region = $2 AND id = $3),
			EXISTS (SELECT FROM users WHERE collection_key = $4 AND face_count > $5),
			EXISTS (SELECT FROM users LEFT JOIN user_vectors ON user_key = key
				WHERE users.collection_key = $4 AND (face_count = 0) <> (vector IS NULL))`,
			realm.Account, realm.Region, i.goal.ID, i.key, face.MaxFacesPerUser).Scan(&exists,
			&crowded, &wrong)
		switch {
		case err != nil:
			return err
		case exists:
			return record.CollectionExistsError(i.goal.ID)
		case crowded:
			return record.CrowdedUserError()
		case wrong:
			return record.WrongVectorError()
		}
		published, err = record.ScanCollection(tx.QueryRow(ctx, `UPDATE collections
			SET account = $1, region = $2, id = $3 WHERE key = $4
			RETURNING `+record.CollectionColumns, realm.Account, realm.Region, i.goal.ID, i.key))
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23505" {
			return record.CollectionExistsError(i.goal.ID)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return errors.New("the import was abandoned")
		}
		if err != nil {
			return err
		}
		if maxCollections > 0 {
			if err := checkCollections(ctx, tx, realm, maxCollections); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "DELETE FROM imports WHERE collection_key = $1", i.key)
		return err
	})
	if err != nil {
		return face.Collection{}, fmt.Errorf("publish an import: %w", err)
	}
	i.done = true
	return published, nil
}

// Abandon deletes an import that was not published, in the background, and does nothing to one that
// was.
func (i *incoming) Abandon() error {
	if i.done {
		return nil
	}
	i.done = true
	ctx, cancel := background(time.Minute)
	defer cancel()
	return i.store.wipeHidden(ctx, "collection_key = $1", i.key)
}

// wipeHidden marks collections that are being imported for deletion: those of imports that fulfil a
// condition.
func (s *Store) wipeHidden(ctx context.Context, which string, args ...any) error {
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "WITH ended AS (DELETE FROM imports WHERE "+which+` RETURNING *),
			deleted AS (DELETE FROM collections USING ended
				WHERE key = collection_key AND account = '' RETURNING key)
			INSERT INTO doomed SELECT key FROM deleted`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("wipe an import: %w", err)
	}
	s.wakeSweeper()
	return nil
}

// wipeAbandoned is wipeHidden for what nodes were importing that do not run any more: a node that
// runs holds a lock.
func (s *Store) wipeAbandoned(ctx context.Context) error {
	nodes, err := readAll(ctx, s, scanValue[int32], "SELECT DISTINCT node FROM imports")
	if err != nil {
		return fmt.Errorf("look for imports that ended: %w", err)
	}
	for _, node := range nodes {
		if err := s.wipeHidden(ctx, "node = $1 AND pg_try_advisory_xact_lock($2, $1)", node,
			lockImport); err != nil {
			return err
		}
	}
	return nil
}
