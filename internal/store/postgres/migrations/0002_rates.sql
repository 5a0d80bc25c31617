-- The buckets of tokens that servers share, and against which they count calls. What a bucket holds follows from the time
-- at which it is full again. A crash of the database empties the table, which fills all buckets.
CREATE UNLOGGED TABLE rate_buckets (
    name    text COLLATE "C" PRIMARY KEY,
    full_at timestamptz NOT NULL,
    taken   int NOT NULL -- by the last call, for its answer
) WITH (fillfactor = 50);
