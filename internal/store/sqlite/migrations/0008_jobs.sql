-- What requests started and do not wait for. A job is in progress until it has finished; it can be claimed when it is
-- due: at once, after a pause, or when the lease of a claim has ended.
CREATE TABLE jobs (
    key           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    account       TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    kind          TEXT    NOT NULL, -- the operation that started it
    tag           TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    bucket        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    input         BLOB    NOT NULL,
    created_ms    INTEGER NOT NULL, -- Unix time in milliseconds, as all times here
    status        INTEGER NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 2), -- in progress, succeeded, failed
    message       TEXT    NOT NULL DEFAULT '',
    summary       BLOB,
    progress      REAL    NOT NULL DEFAULT 0,
    finished_ms   INTEGER,                    -- NULL while it is in progress
    claim         INTEGER NOT NULL DEFAULT 0, -- the number of the last one
    claimed       INTEGER NOT NULL DEFAULT 0, -- 1 from a claim until it is given back
    failures      INTEGER NOT NULL DEFAULT 0,
    due_ms        INTEGER NOT NULL DEFAULT 0,
    announce_ms   INTEGER,                    -- when its end is to be announced; NULL: not (any more)
    announcements INTEGER NOT NULL DEFAULT 0  -- that were attempted
) STRICT;

CREATE INDEX jobs_in_progress ON jobs (account, region) WHERE status = 0;
CREATE INDEX jobs_due ON jobs (due_ms) WHERE status = 0;
CREATE INDEX jobs_finished ON jobs (finished_ms) WHERE finished_ms IS NOT NULL;
CREATE INDEX jobs_to_announce ON jobs (announce_ms) WHERE announce_ms IS NOT NULL;

CREATE TABLE job_items (
    job_key  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    sort_key BLOB    NOT NULL,
    body     BLOB    NOT NULL,
    PRIMARY KEY (job_key, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_items_by_key ON job_items (job_key, sort_key, seq);

-- Faces of a collection that the tracks of a video match. They go with the face: nothing is kept of a face that is
-- deleted.
CREATE TABLE job_matches (
    job_key    INTEGER NOT NULL,
    track      INTEGER NOT NULL,
    position   INTEGER NOT NULL, -- from 0, the most similar first
    face_key   INTEGER NOT NULL REFERENCES faces (key) ON DELETE CASCADE,
    similarity REAL    NOT NULL,
    PRIMARY KEY (job_key, track, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_matches_by_face ON job_matches (face_key);
