-- A tag may outlive its collection's row for a while, as a face may.
CREATE TABLE tags (
    collection_key INTEGER NOT NULL,
    key            TEXT    NOT NULL,
    value          TEXT    NOT NULL,
    PRIMARY KEY (collection_key, key)
) STRICT, WITHOUT ROWID;
