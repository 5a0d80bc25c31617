-- AUTOINCREMENT everywhere a key leaves the store: a key is never used twice.

CREATE TABLE collections (
    key                INTEGER PRIMARY KEY AUTOINCREMENT,
    account            TEXT    NOT NULL,
    region             TEXT    NOT NULL,
    id                 TEXT    NOT NULL,
    face_model_version TEXT    NOT NULL,
    created_ms         INTEGER NOT NULL, -- Unix time in milliseconds
    face_count         INTEGER NOT NULL DEFAULT 0 CHECK (face_count >= 0),
    UNIQUE (account, region, id)
) STRICT;

-- A face may outlive its collection's row for a while (see doomed), so collection_key is no foreign key. Whoever
-- reads faces makes sure that the collection is still there.
CREATE TABLE faces (
    key               INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_key    INTEGER NOT NULL,
    face_id           BLOB    NOT NULL CHECK (length(face_id) = 16),  -- UUID
    image_id          BLOB    NOT NULL CHECK (length(image_id) = 16), -- UUID
    external_image_id TEXT,                                           -- NULL if none was given
    box_left          REAL    NOT NULL,
    box_top           REAL    NOT NULL,
    box_width         REAL    NOT NULL,
    box_height        REAL    NOT NULL,
    confidence        REAL    NOT NULL,
    UNIQUE (collection_key, face_id)
) STRICT;

-- In order of key: how a collection's embeddings are read from one end of their table to the other.
CREATE INDEX faces_by_collection ON faces (collection_key);

-- Finds the face that is stored already when a picture comes again under the same external id.
CREATE INDEX faces_by_image ON faces (collection_key, image_id, external_image_id)
    WHERE external_image_id IS NOT NULL;

-- Apart from faces, so that a listing does not read two kilobytes a face.
CREATE TABLE embeddings (
    face_key INTEGER PRIMARY KEY REFERENCES faces (key) ON DELETE CASCADE,
    encoding INTEGER NOT NULL, -- 1: IEEE 754 binary32, little-endian
    vector   BLOB    NOT NULL
) STRICT;

-- Collections that are deleted but whose faces are not yet.
CREATE TABLE doomed (
    collection_key INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
