-- The servers that share the database, as each of them says every few seconds. A crash of the database empties the table,
-- and the next heartbeats fill it.
CREATE UNLOGGED TABLE nodes (
    id          text COLLATE "C" PRIMARY KEY,
    host        text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    version     text NOT NULL,
    started_ms  bigint NOT NULL, -- Unix time in milliseconds
    beat_at     timestamptz NOT NULL, -- the database's time of the last heartbeat
    collections bigint NOT NULL, -- in memory
    vectors     bigint NOT NULL,
    bytes       bigint NOT NULL,
    behind      bigint NOT NULL, -- changes that were not in memory yet
    followed_ms bigint NOT NULL  -- how long before the heartbeat that was
) WITH (fillfactor = 50);
