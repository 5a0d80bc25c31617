-- Roles, which have sessions instead of keys. The case of a name does not matter, but is kept.
CREATE TABLE iam_roles (
    account       TEXT    NOT NULL,
    name          TEXT    NOT NULL COLLATE NOCASE,
    id            TEXT    NOT NULL UNIQUE,
    trust_policy  TEXT    NOT NULL, -- JSON
    policies      TEXT    NOT NULL, -- JSON: names and documents, in order of name
    max_session_s INTEGER NOT NULL, -- seconds
    created_ms    INTEGER NOT NULL, -- Unix time in milliseconds
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Sessions of a user, a role or a root that were issued up to a time are revoked. An id is never
-- used twice, so that what is kept of one that was deleted does no harm.
CREATE TABLE iam_revocations (
    id              TEXT    NOT NULL PRIMARY KEY,
    issued_up_to_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
