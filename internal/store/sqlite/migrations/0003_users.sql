ALTER TABLE collections ADD COLUMN user_count INTEGER NOT NULL DEFAULT 0 CHECK (user_count >= 0);

-- Like a face, a user may outlive its collection's row for a while.
CREATE TABLE users (
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_key INTEGER NOT NULL,
    user_id        TEXT    NOT NULL,
    system_id      BLOB    NOT NULL CHECK (length(system_id) = 16), -- UUID
    created_ms     INTEGER NOT NULL, -- Unix time in milliseconds
    face_count     INTEGER NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    UNIQUE (collection_key, user_id),
    UNIQUE (collection_key, system_id)
) STRICT;

CREATE INDEX users_by_collection ON users (collection_key);

-- What the faces of a user have together. A user without faces has none.
CREATE TABLE user_vectors (
    user_key INTEGER PRIMARY KEY REFERENCES users (key) ON DELETE CASCADE,
    encoding INTEGER NOT NULL, -- as in embeddings
    vector   BLOB    NOT NULL
) STRICT;

-- NULL while the face belongs to nobody.
ALTER TABLE faces ADD COLUMN user_key INTEGER REFERENCES users (key) ON DELETE SET NULL;

CREATE INDEX faces_by_user ON faces (user_key, face_id) WHERE user_key IS NOT NULL;

-- The answers to calls that clients marked with a token, for when they repeat them.
CREATE TABLE answers (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    operation  TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32), -- of the call
    answer     BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL, -- Unix time in milliseconds
    PRIMARY KEY (account, region, operation, token)
) STRICT;

CREATE INDEX answers_by_expiry ON answers (expires_ms);
