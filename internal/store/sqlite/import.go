package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

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
	hidden, err := s.CreateCollection(ctx, record.Hidden(c), tags, 0)
	if err != nil {
		return nil, fmt.Errorf("begin an import: %w", err)
	}
	return &incoming{store: s, key: hidden.Key, goal: c}, nil
}

// AddUsers adds users with their ids, SystemID, CreatedAt and Vector, which is nil for one without
// faces. CodeConflict if an id is there already, CodeInvalidParameter if the vectors of the import
// would differ in their dimension.
func (i *incoming) AddUsers(ctx context.Context, users []face.User) error {
	records, dimension, err := record.ImportedUsers(users, i.dimension)
	if err != nil {
		return fmt.Errorf("import users: %w", err)
	}
	return i.add(ctx, "users", dimension, func(t tx) error {
		for _, r := range records {
			result, err := t.exec(
				"INSERT INTO users (collection_key, user_id, system_id, created_ms) VALUES (?, ?, "+
					"?, ?)",
				i.key, r.User.ID, r.SystemID[:], r.User.CreatedAt.UnixMilli())
			if err != nil {
				return twice(err)
			}
			if r.Vector == nil {
				continue
			}
			key, err := result.LastInsertId()
			if err != nil {
				return err
			}
			if _, err := t.exec(
				"INSERT INTO user_vectors (user_key, encoding, vector) VALUES (?, ?, ?)", key,
				record.EncodingFloat32, r.Vector); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE collections SET user_count = user_count + ? WHERE key = ?",
			len(users), i.key)
		return err
	})
}

// AddFaces adds faces with their ids, vectors and the ids of the users that have them, who are
// there already. CodeConflict if an id is there already, CodeInvalidParameter if the vectors of the
// import would differ in their dimension.
func (i *incoming) AddFaces(ctx context.Context, faces []face.Face) error {
	records, dimension, err := record.ImportedFaces(faces, i.dimension)
	if err != nil {
		return fmt.Errorf("import faces: %w", err)
	}
	return i.add(ctx, "faces", dimension, func(t tx) error {
		for _, r := range records {
			var user any
			if r.Face.UserID != "" {
				var key face.UserKey
				err := t.queryRow(
					"UPDATE users SET face_count = face_count + 1 WHERE collection_key = ? AND "+
						"user_id = ? RETURNING key", i.key, r.Face.UserID).Scan(&key)
				if errors.Is(err, sql.ErrNoRows) {
					return record.NoOwnerError()
				}
				if err != nil {
					return err
				}
				user = key
			}
			box := r.Face.BoundingBox
			result, err := t.exec(`INSERT INTO faces
				(collection_key, face_id, image_id, external_image_id,
				box_left, box_top, box_width, box_height, confidence, user_key)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				i.key, r.ID[:], r.Image[:], r.ExternalID, box.Left, box.Top, box.Width, box.Height,
				r.Face.Confidence, user)
			if err != nil {
				return twice(err)
			}
			key, err := result.LastInsertId()
			if err != nil {
				return err
			}
			if _, err := t.exec(
				"INSERT INTO embeddings (face_key, encoding, vector) VALUES (?, ?, ?)", key,
				record.EncodingFloat32, r.Vector); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE collections SET face_count = face_count + ? WHERE key = ?",
			len(faces), i.key)
		return err
	})
}

// add makes a change that brings vectors of this dimension with it.
func (i *incoming) add(ctx context.Context, what string, dimension int,
	change func(tx) error) error {
	if i.done { // its rows may have been swept, and these would not be
		return fmt.Errorf("import %s: the import has ended", what)
	}
	if err := i.store.writer.do(ctx, change); err != nil {
		return fmt.Errorf("import %s: %w", what, err)
	}
	i.dimension = dimension
	return nil
}

// twice maps the error of a repeated id, and returns other errors as they are.
func twice(err error) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && strings.HasPrefix(e.Error(), "UNIQUE") {
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
	err := i.store.writer.do(ctx, func(t tx) error {
		var exists, many, crowded, wrong bool
		err := t.queryRow(`SELECT
			EXISTS (SELECT 1 FROM collections WHERE account = ?1 AND region = ?2 AND id = ?3),
			?4 > 0 AND EXISTS (SELECT 1 FROM collections WHERE account = ?1 AND region = ?2
				LIMIT 1 OFFSET ?4 - 1),
			EXISTS (SELECT 1 FROM users WHERE collection_key = ?5 AND face_count > ?6),
			EXISTS (SELECT 1 FROM users LEFT JOIN user_vectors ON user_key = key
				WHERE collection_key = ?5 AND (face_count = 0) <> (vector IS NULL))`,
			realm.Account, realm.Region, i.goal.ID, maxCollections, i.key,
			face.MaxFacesPerUser).Scan(&exists, &many, &crowded, &wrong)
		switch {
		case err != nil:
			return err
		case exists:
			return record.CollectionExistsError(i.goal.ID)
		case many:
			return record.TooManyCollectionsError(maxCollections)
		case crowded:
			return record.CrowdedUserError()
		case wrong:
			return record.WrongVectorError()
		}
		published, err = record.ScanCollection(
			t.queryRow(
				"UPDATE collections SET account = ?, region = ?, id = ? WHERE key = ? RETURNING "+
					collectionColumns,
				realm.Account, realm.Region, i.goal.ID, i.key))
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return i.store.wipeHidden(ctx, "key = ?", i.key)
}

// wipeHidden marks collections that are being imported for deletion.
func (s *Store) wipeHidden(ctx context.Context, which string, args ...any) error {
	err := s.writer.do(ctx, func(t tx) error {
		rows, err := t.query("DELETE FROM collections WHERE account = '' AND "+which+
			" RETURNING key", args...)
		keys, err := collect(rows, err, func(row record.Row) (key face.CollectionKey, err error) {
			err = row.Scan(&key)
			return key, err
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := t.exec("INSERT INTO doomed (collection_key) VALUES (?)", key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wipe an import: %w", err)
	}
	s.wakeSweeper()
	return nil
}
