-- What the tables of the SQLite store have, and the positions of changes (see collections.version). Names that are
-- compared or listed bytewise have the collation "C".

CREATE TABLE collections (
    key                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account            text   COLLATE "C" NOT NULL,
    region             text   COLLATE "C" NOT NULL,
    id                 text   COLLATE "C" NOT NULL,
    face_model_version text   NOT NULL,
    created_ms         bigint NOT NULL, -- Unix time in milliseconds
    face_count         bigint NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    user_count         bigint NOT NULL DEFAULT 0 CHECK (user_count >= 0),
    dimension          int    NOT NULL DEFAULT 0, -- of the vectors; 0: there is none
    -- The highest position (seq) of a vector. Each vector that is added or changed gets the next one under the lock
    -- of this row, which is held until the commit: whoever reads a version can read all vectors up to it.
    version            bigint NOT NULL DEFAULT 0,
    stamp              bigint NOT NULL, -- random, a new one with each version
    UNIQUE (account, region, id)
) WITH (fillfactor = 50);

-- A face may outlive its collection's row for a while (see doomed), so collection_key is no foreign key. Whoever
-- reads faces makes sure that the collection is still there. So it is with users and tags.
CREATE TABLE users (
    key            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_key bigint NOT NULL,
    user_id        text   COLLATE "C" NOT NULL,
    system_id      uuid   NOT NULL,
    created_ms     bigint NOT NULL,
    face_count     bigint NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    UNIQUE (collection_key, user_id),
    UNIQUE (collection_key, system_id)
);

CREATE SEQUENCE face_keys AS bigint;

CREATE TABLE faces (
    key               bigint PRIMARY KEY, -- of face_keys
    collection_key    bigint NOT NULL,
    face_id           uuid   NOT NULL,
    image_id          uuid   NOT NULL,
    external_image_id text   COLLATE "C", -- NULL if none was given
    box_left          real   NOT NULL,
    box_top           real   NOT NULL,
    box_width         real   NOT NULL,
    box_height        real   NOT NULL,
    confidence        real   NOT NULL,
    user_key          bigint REFERENCES users (key) ON DELETE SET NULL, -- NULL while the face belongs to nobody
    UNIQUE (collection_key, face_id)
);

-- Finds the face that is stored already when a picture comes again under the same external id, and faces by their
-- picture.
CREATE INDEX faces_by_image ON faces (collection_key, image_id, external_image_id);

-- Finds faces by what the caller's records call their picture.
CREATE INDEX faces_by_external_id ON faces (collection_key, external_image_id, face_id)
    WHERE external_image_id IS NOT NULL;

CREATE INDEX faces_by_user ON faces (user_key, face_id) WHERE user_key IS NOT NULL;

-- Apart from faces, so that a listing does not read two kilobytes a face. A vector of 512 numbers stays in its row.
CREATE TABLE embeddings (
    face_key       bigint   PRIMARY KEY REFERENCES faces (key) ON DELETE CASCADE,
    collection_key bigint   NOT NULL,
    seq            bigint   NOT NULL,
    encoding       smallint NOT NULL, -- 1: IEEE 754 binary32, little-endian
    vector         bytea    STORAGE EXTERNAL NOT NULL
) WITH (toast_tuple_target = 8160);

CREATE UNIQUE INDEX embeddings_by_seq ON embeddings (collection_key, seq);

-- What the faces of a user have together. It is NULL once a user with faces has none any more, which an index of users
-- is told by a new seq.
CREATE TABLE user_vectors (
    user_key       bigint   PRIMARY KEY REFERENCES users (key) ON DELETE CASCADE,
    collection_key bigint   NOT NULL,
    seq            bigint   NOT NULL,
    encoding       smallint NOT NULL,
    vector         bytea    STORAGE EXTERNAL
) WITH (toast_tuple_target = 8160);

CREATE UNIQUE INDEX user_vectors_by_seq ON user_vectors (collection_key, seq);

CREATE TABLE thumbnails (
    face_key bigint PRIMARY KEY REFERENCES faces (key) ON DELETE CASCADE,
    jpeg     bytea  STORAGE EXTERNAL NOT NULL
);

CREATE TABLE tags (
    collection_key bigint NOT NULL,
    key            text   COLLATE "C" NOT NULL,
    value          text   NOT NULL,
    PRIMARY KEY (collection_key, key)
);

-- Collections that are deleted but whose faces are not yet.
CREATE TABLE doomed (
    collection_key bigint PRIMARY KEY
);

-- Collections that are being imported, by the node that does it.
CREATE TABLE imports (
    collection_key bigint PRIMARY KEY,
    node           int    NOT NULL
);

-- The answers to calls that clients marked with a token, for when they repeat them.
CREATE TABLE answers (
    account    text   COLLATE "C" NOT NULL,
    region     text   COLLATE "C" NOT NULL,
    operation  text   COLLATE "C" NOT NULL,
    token      text   COLLATE "C" NOT NULL,
    digest     bytea  NOT NULL, -- of the call
    answer     bytea  NOT NULL,
    expires_ms bigint NOT NULL,
    PRIMARY KEY (account, region, operation, token)
);

CREATE INDEX answers_by_expiry ON answers (expires_ms);

CREATE TABLE settings (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- Users of the API. The case of a name does not matter, but is kept: folded is the name in lower case, as the
-- collation "C" makes it of ASCII.
CREATE TABLE iam_users (
    account    text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    folded     text   COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(name COLLATE "C")) STORED,
    id         text   COLLATE "C" NOT NULL UNIQUE,
    created_ms bigint NOT NULL,
    PRIMARY KEY (account, folded)
);

CREATE TABLE iam_user_policies (
    account     text COLLATE "C" NOT NULL,
    user_folded text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    folded      text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(name COLLATE "C")) STORED,
    document    text NOT NULL, -- JSON
    PRIMARY KEY (account, user_folded, folded),
    FOREIGN KEY (account, user_folded) REFERENCES iam_users (account, folded) ON DELETE CASCADE
);

CREATE TABLE iam_access_keys (
    id            text    COLLATE "C" PRIMARY KEY,
    account       text    COLLATE "C" NOT NULL,
    user_folded   text    COLLATE "C" NOT NULL,
    sealed_secret bytea   NOT NULL, -- encrypted, see package iam
    active        boolean NOT NULL,
    created_ms    bigint  NOT NULL,
    FOREIGN KEY (account, user_folded) REFERENCES iam_users (account, folded) ON DELETE CASCADE
);

CREATE INDEX iam_access_keys_by_user ON iam_access_keys (account, user_folded);

-- The root key of an account, which all nodes have.
CREATE TABLE iam_root_keys (
    account       text  COLLATE "C" PRIMARY KEY,
    id            text  COLLATE "C" NOT NULL,
    sealed_secret bytea NOT NULL
);

-- Roles, which have sessions instead of keys.
CREATE TABLE iam_roles (
    account       text   COLLATE "C" NOT NULL,
    name          text   COLLATE "C" NOT NULL,
    folded        text   COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(name COLLATE "C")) STORED,
    id            text   COLLATE "C" NOT NULL UNIQUE,
    trust_policy  text   NOT NULL, -- JSON
    policies      text   NOT NULL, -- JSON: names and documents, in order of name
    max_session_s bigint NOT NULL, -- seconds
    created_ms    bigint NOT NULL,
    PRIMARY KEY (account, folded)
);

-- Sessions of a user, a role or a root that were issued up to a time are revoked.
CREATE TABLE iam_revocations (
    id              text   COLLATE "C" PRIMARY KEY,
    issued_up_to_ms bigint NOT NULL
);
