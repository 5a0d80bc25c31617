-- Users, their access keys and their policies. The case of a name does not matter, but is kept.

CREATE TABLE iam_users (
    account    TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE,
    id         TEXT    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL, -- Unix time in milliseconds
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE iam_user_policies (
    account   TEXT NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    name      TEXT NOT NULL COLLATE NOCASE,
    document  TEXT NOT NULL, -- JSON
    PRIMARY KEY (account, user_name, name),
    FOREIGN KEY (account, user_name) REFERENCES iam_users (account, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE iam_access_keys (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       TEXT    NOT NULL,
    user_name     TEXT    NOT NULL COLLATE NOCASE,
    sealed_secret BLOB    NOT NULL, -- encrypted, see package iam
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_ms    INTEGER NOT NULL,
    FOREIGN KEY (account, user_name) REFERENCES iam_users (account, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX iam_access_keys_by_user ON iam_access_keys (account, user_name);
