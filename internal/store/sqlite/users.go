package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// scanUser reads a row of [record.UserColumns].
func scanUser(row record.Row) (face.User, error) { return record.ScanUser(row, blob) }

// CreateUser implements [face.Store].
func (s *Store) CreateUser(ctx context.Context, c face.CollectionKey, u face.User,
	once recollect.Once, maxUsers int64) error {
	system, err := record.SystemIDOf(u)
	if err != nil {
		return fmt.Errorf("create a user: %w", err)
	}
	_, err = s.doOnce(ctx, once, func(t tx) ([]byte, error) {
		var count int64
		err := t.queryRow("SELECT user_count FROM collections WHERE key = ?", c).Scan(&count)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, record.DeletedCollectionError()
		}
		if err != nil {
			return nil, err
		}
		result, err := t.exec(
			`INSERT INTO users (collection_key, user_id, system_id, created_ms) VALUES (?, ?, ?, ?)
			ON CONFLICT (collection_key, user_id) DO NOTHING`, c, u.ID, system[:],
			u.CreatedAt.UnixMilli())
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, record.UserExistsError(u.ID)
		}
		if count >= maxUsers {
			return nil, record.TooManyUsersError(maxUsers)
		}
		_, err = t.exec("UPDATE collections SET user_count = user_count + 1 WHERE key = ?", c)
		return nil, err
	})
	if err != nil {
		return fmt.Errorf("create a user: %w", err)
	}
	return nil
}

// User implements [face.Store].
func (s *Store) User(ctx context.Context, c face.CollectionKey, id string) (face.User, error) {
	u, err := readUser(s.readers.QueryRowContext(ctx, userByID, sql.Named("c", c),
		sql.Named("id", id)), id)
	if err != nil {
		return face.User{}, fmt.Errorf("read a user: %w", err)
	}
	return u, nil
}

// userByID is the query whose row readUser reads.
const userByID = "SELECT " + userColumns +
	`, encoding, vector FROM users LEFT JOIN user_vectors ON user_key = key
	WHERE collection_key = :c AND user_id = :id AND ` + thereIs

// readUser reads the row of a user with its vector, if there is one.
func readUser(row record.Row, id string) (face.User, error) {
	u, err := record.ScanUserVector(row, blob)
	if errors.Is(err, sql.ErrNoRows) {
		err = record.NoUserError(id)
	}
	return u, err
}

// Users implements [face.Store]. The place to go on from must be empty or an id.
func (s *Store) Users(ctx context.Context, c face.CollectionKey, after string,
	limit int) ([]face.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	from := []byte{} // sorts before every id
	if after != "" {
		id, ok := record.ParseID(after)
		if !ok {
			return nil, errors.New("list users: the place to go on from is not a system id")
		}
		from = id[:]
	}
	rows, err := s.readers.QueryContext(ctx,
		"SELECT "+userColumns+" FROM users WHERE collection_key = :c AND "+thereIs+
			" AND system_id > :from ORDER BY system_id LIMIT :limit",
		sql.Named("c", c), sql.Named("from", from), sql.Named("limit", limit))
	users, err := collect(rows, err, scanUser)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// UsersByKey implements [face.Store].
func (s *Store) UsersByKey(ctx context.Context, c face.CollectionKey,
	keys []face.UserKey) (map[face.UserKey]face.User, error) {
	rows, err := s.readers.QueryContext(ctx,
		"SELECT "+userColumns+
			" FROM users WHERE key IN (SELECT value FROM json_each(:keys)) AND collection_key = "+
			":c AND "+thereIs,
		sql.Named("keys", toJSON(keys)), sql.Named("c", c))
	users, err := collect(rows, err, scanUser)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return record.ByKey(users, func(u face.User) face.UserKey { return u.Key }), nil
}

// DeleteUser implements [face.Store]. Foreign keys disassociate the faces and delete
// the vector.
func (s *Store) DeleteUser(ctx context.Context, c face.CollectionKey, id string,
	once recollect.Once) (face.UserKey, error) {
	var deleted face.UserKey
	_, err := s.doOnce(ctx, once, func(t tx) ([]byte, error) {
		err := t.queryRow("DELETE FROM users WHERE collection_key = :c AND user_id = :id AND "+
			thereIs+" RETURNING key",
			sql.Named("c", c), sql.Named("id", id)).Scan(&deleted)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, record.NoUserError(id)
		}
		if err != nil {
			return nil, err
		}
		_, err = t.exec("UPDATE collections SET user_count = user_count - 1 WHERE key = ?", c)
		return nil, err
	})
	if err != nil {
		return 0, fmt.Errorf("delete a user: %w", err)
	}
	return deleted, nil
}

// ChangeUser implements [face.Store]. It calls decide on the writer's goroutine.
func (s *Store) ChangeUser(ctx context.Context, c face.CollectionKey, id string, faceIDs []string,
	once recollect.Once,
	decide func(face.UserState) (face.UserChange, error)) (answer []byte, changed face.UserKey,
	err error) {
	answer, err = s.doOnce(ctx, once, func(t tx) ([]byte, error) {
		state, err := readState(t, c, id, faceIDs)
		if err != nil {
			return nil, err
		}
		change, err := decide(state)
		if err != nil {
			return nil, err
		}
		if len(change.Add)+len(change.Remove) > 0 {
			changed = state.User.Key
			err = changeMembers(t, c, state.User.Key, change)
		}
		return change.Answer, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("change the faces of a user: %w", err)
	}
	return answer, changed, nil
}

func readState(t tx, c face.CollectionKey, id string, faceIDs []string) (state face.UserState,
	err error) {
	state.User, err = readUser(t.queryRow(userByID, sql.Named("c", c), sql.Named("id", id)), id)
	if err != nil {
		return state, err
	}
	rows, err := t.query("SELECT "+faceColumns+
		`, encoding, vector FROM faces JOIN embeddings ON face_key = key
		WHERE collection_key = :c AND face_id IN (SELECT unhex(value, '-') FROM json_each(:ids))`,
		sql.Named("c", c), sql.Named("ids", parseIDs(faceIDs)))
	state.Faces, err = collect(rows, err, scanFaceVector)
	if err != nil {
		return state, err
	}
	rows, err = t.query(
		"SELECT key, encoding, vector FROM faces JOIN embeddings ON face_key = key WHERE user_key "+
			"= ? ORDER BY key", state.User.Key)
	state.Members, err = collect(rows, err, scanEmbedding)
	return state, err
}

// changeMembers adds faces to a user, removes others, and stores the new vector of the user.
func changeMembers(t tx, c face.CollectionKey, user face.UserKey, change face.UserChange) error {
	for _, step := range []struct {
		update string
		keys   []face.FaceKey
	}{
		{"UPDATE faces SET user_key = NULL WHERE user_key = :user", change.Remove},
		{"UPDATE faces SET user_key = :user WHERE user_key IS NULL", change.Add},
	} {
		result, err := t.exec(step.update+
			" AND collection_key = :c AND key IN (SELECT value FROM json_each(:keys))",
			sql.Named("user", user), sql.Named("c", c), sql.Named("keys", toJSON(step.keys)))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if n != int64(len(step.keys)) {
			return record.WrongMembersError(n, len(step.keys))
		}
	}
	var left int64
	err := t.queryRow(
		"UPDATE users SET face_count = face_count + ? WHERE key = ? RETURNING face_count",
		len(change.Add)-len(change.Remove), user).Scan(&left)
	if err != nil {
		return err
	}
	if err := record.CheckUserVector(left, change.Vector); err != nil {
		return err
	}
	if left == 0 {
		_, err = t.exec("DELETE FROM user_vectors WHERE user_key = ?", user)
		return err
	}
	dimension, err := t.dimension(c)
	if err != nil {
		return err
	}
	if _, err := record.SameDimension(dimension, change.Vector); err != nil {
		return err
	}
	_, err = t.exec(
		"INSERT OR REPLACE INTO user_vectors (user_key, encoding, vector) VALUES (?, ?, ?)",
		user, record.EncodingFloat32, record.EncodeVector(change.Vector))
	return err
}

// UserVector implements [face.Store].
func (s *Store) UserVector(ctx context.Context, c face.CollectionKey, key face.UserKey) ([]float32,
	error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT user_key, encoding, vector
		FROM users JOIN user_vectors ON user_key = key
		WHERE key = :user AND collection_key = :c AND `+thereIs,
		sql.Named("user", key), sql.Named("c", c))
	found, err := collect(rows, err, scanEmbedding)
	if err != nil {
		return nil, fmt.Errorf("read the vector of a user: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0].Vector, nil
}

// UserVectors implements [face.Store]. It holds one of the readers' connections while it is read.
func (s *Store) UserVectors(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return s.vectors(ctx, `SELECT user_key, encoding, vector
		FROM users JOIN user_vectors ON user_key = key WHERE collection_key = :c AND `+thereIs+
		` ORDER BY key`, c)
}
