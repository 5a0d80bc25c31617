package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// view is a collection as of one moment.
type view struct {
	tx         pgx.Tx
	collection face.Collection
	tags       map[string]string
}

// View calls read with a collection as of one moment. CodeNotFound if there is none. It holds a
// connection, and PostgreSQL keeps what is deleted meanwhile, until read returns.
func (s *Store) View(ctx context.Context, realm recollect.Realm, id string,
	read func(transfer.View) error) error {
	var readErr error
	err := s.long(ctx, func(conn *pgx.Conn) error {
		tx, err := beginMoment(ctx, conn)
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		v := &view{tx: tx}
		v.collection, err = record.ScanCollection(tx.QueryRow(ctx,
			"SELECT "+record.CollectionColumns+
				" FROM collections WHERE account = $1 AND region = $2 AND id = $3", realm.Account,
			realm.Region, id))
		if errors.Is(err, pgx.ErrNoRows) {
			err = record.NoCollectionError(id)
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, tagsOf, v.collection.Key)
		found, err := collect(rows, err, record.ScanTag)
		if err != nil {
			return err
		}
		v.tags = record.TagMap(found)
		readErr = read(v)
		return readErr
	})
	if readErr != nil {
		return markNoSpace(readErr)
	}
	if err != nil {
		return fmt.Errorf("view a collection: %w", err)
	}
	return nil
}

// Collection is the collection itself.
func (v *view) Collection() face.Collection { return v.collection }

// Tags are the collection's tags, without nil.
func (v *view) Tags() map[string]string { return v.tags }

// Faces calls each with every face and its vector, in order of key.
func (v *view) Faces(ctx context.Context, each func(face.Face) error) error {
	rows, err := v.tx.Query(ctx, "SELECT "+faceColumns+`, encoding, vector
		FROM faces f JOIN embeddings ON face_key = f.key
		WHERE f.collection_key = $1 ORDER BY f.key`, v.collection.Key)
	return walk(rows, err, func(row record.Row) error {
		f, err := scanFaceVector(row)
		if err != nil {
			return err
		}
		return each(f)
	})
}

// Users calls each with every user and its vector, nil if it has no faces, in order of key.
func (v *view) Users(ctx context.Context, each func(face.User) error) error {
	rows, err := v.tx.Query(ctx, "SELECT "+record.UserColumns+`, encoding, vector
		FROM users LEFT JOIN user_vectors ON user_key = key
		WHERE users.collection_key = $1 ORDER BY key`, v.collection.Key)
	return walk(rows, err, func(row record.Row) error {
		u, err := scanUserVector(row)
		if err != nil {
			return err
		}
		return each(u)
	})
}
