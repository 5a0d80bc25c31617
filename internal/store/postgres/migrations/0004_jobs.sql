-- What requests started and do not wait for. A job is in progress until it has finished; it can be claimed when it is
-- due: at once, after a pause, or when the lease of a claim has ended. The clock of due_ms and announce_ms is the
-- database server's.
CREATE TABLE jobs (
    key           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text   COLLATE "C" NOT NULL UNIQUE,
    account       text   COLLATE "C" NOT NULL,
    region        text   COLLATE "C" NOT NULL,
    kind          text   NOT NULL, -- the operation that started it
    tag           text   NOT NULL,
    topic         text   NOT NULL,
    bucket        text   NOT NULL,
    name          text   NOT NULL,
    version       text   NOT NULL,
    input         bytea  NOT NULL,
    created_ms    bigint NOT NULL, -- Unix time in milliseconds, as all times here
    status        int    NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 2), -- in progress, succeeded, failed
    message       text   NOT NULL DEFAULT '',
    summary       bytea,
    progress      real   NOT NULL DEFAULT 0,
    finished_ms   bigint,                    -- NULL while it is in progress
    claim         bigint NOT NULL DEFAULT 0, -- the number of the last one
    claimed       int    NOT NULL DEFAULT 0, -- 1 from a claim until it is given back
    failures      int    NOT NULL DEFAULT 0,
    due_ms        bigint NOT NULL DEFAULT 0,
    announce_ms   bigint,                    -- when its end is to be announced; NULL: not (any more)
    announcements int    NOT NULL DEFAULT 0  -- that were attempted
);

CREATE INDEX jobs_in_progress ON jobs (account, region) WHERE status = 0;
CREATE INDEX jobs_due ON jobs (due_ms) WHERE status = 0;
CREATE INDEX jobs_finished ON jobs (finished_ms) WHERE finished_ms IS NOT NULL;
CREATE INDEX jobs_to_announce ON jobs (announce_ms) WHERE announce_ms IS NOT NULL;

CREATE TABLE job_items (
    job_key  bigint NOT NULL,
    seq      bigint NOT NULL,
    sort_key bytea  NOT NULL,
    body     bytea  NOT NULL,
    PRIMARY KEY (job_key, seq)
);

CREATE INDEX job_items_by_key ON job_items (job_key, sort_key, seq);

-- Faces of a collection that the tracks of a video match. They go with the face: nothing is kept of a face that is
-- deleted.
CREATE TABLE job_matches (
    job_key    bigint NOT NULL,
    track      bigint NOT NULL,
    position   int    NOT NULL, -- from 0, the most similar first
    face_key   bigint NOT NULL REFERENCES faces (key) ON DELETE CASCADE,
    similarity real   NOT NULL,
    PRIMARY KEY (job_key, track, position)
);

CREATE INDEX job_matches_by_face ON job_matches (face_key);
