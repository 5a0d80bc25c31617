-- Small pictures of faces: of those alone that were indexed by a server that was told to keep them.
CREATE TABLE thumbnails (
    face_key INTEGER PRIMARY KEY REFERENCES faces (key) ON DELETE CASCADE,
    jpeg     BLOB    NOT NULL
) STRICT;
