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

// scanUser reads a row of [record.UserColumns].
func scanUser(row record.Row) (face.User, error) { return record.ScanUser(row, uuidForm) }

// scanUserVector reads a row of [record.UserColumns], an encoding and a vector.
func scanUserVector(row record.Row) (face.User, error) {
	return record.ScanUserVector(row, uuidForm)
}

// CreateUser implements [face.Store].
func (s *Store) CreateUser(ctx context.Context, c face.CollectionKey, u face.User,
	once recollect.Once, maxUsers int64) error {
	system, err := record.SystemIDOf(u)
	if err != nil {
		return fmt.Errorf("create a user: %w", err)
	}
	_, err = s.doOnce(ctx, c, once, func(ctx context.Context, l *locked) ([]byte, error) {
		if !l.found {
			return nil, record.DeletedCollectionError()
		}
		tag, err := l.conn.Exec(ctx,
			`INSERT INTO users (collection_key, user_id, system_id, created_ms)
			VALUES ($1, $2, $3, $4) ON CONFLICT (collection_key, user_id) DO NOTHING`, c, u.ID,
			[16]byte(system), u.CreatedAt.UnixMilli())
		switch {
		case err != nil:
			return nil, err
		case tag.RowsAffected() == 0:
			return nil, record.UserExistsError(u.ID)
		case l.users >= maxUsers:
			return nil, record.TooManyUsersError(maxUsers)
		}
		l.users++
		return nil, nil
	})
	if err != nil {
		return fmt.Errorf("create a user: %w", err)
	}
	return nil
}

// userByID is the query whose row readUser reads: with the collection $1 and the id $2.
const userByID = "SELECT " + record.UserColumns + `, encoding, vector
	FROM users LEFT JOIN user_vectors ON user_key = key
	WHERE users.collection_key = $1 AND user_id = $2 AND ` + thereIs

// noUser maps the error of a missing row, and returns other errors as they are.
func noUser(err error, id string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return record.NoUserError(id)
	}
	return err
}

// User implements [face.Store].
func (s *Store) User(ctx context.Context, c face.CollectionKey, id string) (face.User, error) {
	u, err := readOne(ctx, s, scanUserVector, userByID, c, id)
	if err != nil {
		return face.User{}, fmt.Errorf("read a user: %w", noUser(err, id))
	}
	return u, nil
}

// Users implements [face.Store]. The place to go on from must be empty or an id.
func (s *Store) Users(ctx context.Context, c face.CollectionKey, after string,
	limit int) ([]face.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	query, args := "", []any{c, limit}
	if after != "" {
		id, ok := record.ParseID(after)
		if !ok {
			return nil, errors.New("list users: the place to go on from is not a system id")
		}
		query, args = " AND system_id > $3", append(args, [16]byte(id))
	}
	users, err := readAll(ctx, s, scanUser, "SELECT "+record.UserColumns+
		" FROM users WHERE collection_key = $1 AND "+thereIs+query+" ORDER BY system_id LIMIT $2",
		args...)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// UsersByKey implements [face.Store].
func (s *Store) UsersByKey(ctx context.Context, c face.CollectionKey,
	keys []face.UserKey) (map[face.UserKey]face.User, error) {
	users, err := readAll(ctx, s, scanUser, "SELECT "+record.UserColumns+
		" FROM users WHERE key = ANY ($2) AND collection_key = $1 AND "+thereIs, c, numbers(keys))
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return record.ByKey(users, func(u face.User) face.UserKey { return u.Key }), nil
}

// DeleteUser implements [face.Store]. Foreign keys disassociate the faces and delete the vector.
func (s *Store) DeleteUser(ctx context.Context, c face.CollectionKey, id string,
	once recollect.Once) (deleted face.UserKey, err error) {
	_, err = s.doOnce(ctx, c, once, func(ctx context.Context, l *locked) ([]byte, error) {
		deleted = 0
		err := l.conn.QueryRow(ctx, "DELETE FROM users WHERE collection_key = $1 AND user_id = $2 "+
			"AND "+thereIs+" RETURNING key", c, id).Scan(&deleted)
		if err == nil {
			l.users--
		}
		return nil, noUser(err, id)
	})
	if err != nil {
		return 0, fmt.Errorf("delete a user: %w", err)
	}
	return deleted, nil
}

// ChangeUser implements [face.Store]. It may call decide more than once.
func (s *Store) ChangeUser(ctx context.Context, c face.CollectionKey, id string, faceIDs []string,
	once recollect.Once,
	decide func(face.UserState) (face.UserChange, error)) (answer []byte, changed face.UserKey,
	err error) {
	answer, err = s.doOnce(ctx, c, once, func(ctx context.Context, l *locked) ([]byte, error) {
		changed = 0
		state, err := l.readState(ctx, id, faceIDs)
		if err != nil {
			return nil, err
		}
		change, err := decide(state)
		if err != nil {
			return nil, err
		}
		if len(change.Add)+len(change.Remove) > 0 {
			changed = state.User.Key
			err = l.changeMembers(ctx, state.User.Key, change)
		}
		return change.Answer, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("change the faces of a user: %w", err)
	}
	return answer, changed, nil
}

func (l *locked) readState(ctx context.Context, id string, faceIDs []string) (state face.UserState,
	err error) {
	state.User, err = scanUserVector(l.conn.QueryRow(ctx, userByID, l.key, id))
	if err != nil {
		return state, noUser(err, id)
	}
	rows, err := l.conn.Query(ctx, "SELECT "+faceColumns+`, encoding, vector
		FROM faces f JOIN embeddings ON face_key = f.key
		WHERE f.collection_key = $1 AND f.face_id = ANY ($2)`, l.key, parseIDs(faceIDs))
	if state.Faces, err = collect(rows, err, scanFaceVector); err != nil {
		return state, err
	}
	rows, err = l.conn.Query(ctx, `SELECT key, encoding, vector
		FROM faces JOIN embeddings ON face_key = key WHERE user_key = $1 ORDER BY key`,
		state.User.Key)
	state.Members, err = collect(rows, err, scanEmbedding)
	return state, err
}

// changeMembers adds faces to a user, removes others, and stores the new vector of the user.
func (l *locked) changeMembers(ctx context.Context, user face.UserKey,
	change face.UserChange) error {
	for _, step := range []struct {
		update string
		keys   []face.FaceKey
	}{
		{"UPDATE faces SET user_key = NULL WHERE user_key = $1", change.Remove},
		{"UPDATE faces SET user_key = $1 WHERE user_key IS NULL", change.Add},
	} {
		if len(step.keys) == 0 {
			continue
		}
		tag, err := l.conn.Exec(ctx, step.update+" AND collection_key = $2 AND key = ANY ($3)",
			user, l.key, numbers(step.keys))
		if err != nil {
			return err
		}
		if n := tag.RowsAffected(); n != int64(len(step.keys)) {
			return record.WrongMembersError(n, len(step.keys))
		}
	}
	var left int64
	err := l.conn.QueryRow(ctx,
		"UPDATE users SET face_count = face_count + $1 WHERE key = $2 RETURNING face_count",
		len(change.Add)-len(change.Remove), user).Scan(&left)
	if err != nil {
		return err
	}
	if err := record.CheckUserVector(left, change.Vector); err != nil {
		return err
	}
	var vector []byte // NULL
	if change.Vector != nil {
		if _, err := record.SameDimension(l.dimension, change.Vector); err != nil {
			return err
		}
		vector = record.EncodeVector(change.Vector)
	}
	_, err = l.conn.Exec(ctx,
		`INSERT INTO user_vectors (user_key, collection_key, seq, encoding, vector)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_key) DO UPDATE SET seq = $3, encoding = $4, vector = $5`, user, l.key,
		l.nextSeq(), record.EncodingFloat32, vector)
	return err
}

// UserVector implements [face.Store].
func (s *Store) UserVector(ctx context.Context, c face.CollectionKey, key face.UserKey) ([]float32,
	error) {
	found, err := readAll(ctx, s, scanEmbedding, `SELECT user_key, encoding, vector
		FROM user_vectors WHERE user_key = $2 AND collection_key = $1 AND vector IS NOT NULL AND `+
		thereIs, c, key)
	if err != nil {
		return nil, fmt.Errorf("read the vector of a user: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0].Vector, nil
}

// UserVectors implements [face.Store]. It holds a connection while it is read.
func (s *Store) UserVectors(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return stream(ctx, s, scanEmbedding, `SELECT user_key, encoding, vector FROM user_vectors
		WHERE collection_key = $1 AND vector IS NOT NULL AND `+thereIs, c)
}
