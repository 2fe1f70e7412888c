-- Changing the encryption keys while everything runs.

-- The ids of all keys that the process has, as a list; empty when its version does not tell.
ALTER TABLE processes ADD COLUMN key_ids TEXT NOT NULL DEFAULT '[]';

-- A run through everything that is sealed. What it has done is in the rows themselves, each of which says
-- which key sealed it; here is how far it is, and who works on it.
CREATE TABLE key_rotations (
    id          BLOB        NOT NULL CONSTRAINT key_rotations_pkey PRIMARY KEY,
    -- The key of the ring that seals everything in the end.
    key_id      TEXT        NOT NULL,
    -- 'running', 'succeeded', 'partial' or 'cancelled'.
    state       TEXT        NOT NULL,
    -- What was sealed with another key when it began …
    total       INTEGER     NOT NULL,
    -- … and what it has sealed again since. What others wrote meanwhile is in the first only.
    done        INTEGER     NOT NULL,
    -- What does not open, and is left as it is …
    failed      INTEGER     NOT NULL,
    -- … by table, column and row, but for those beyond the first thousand.
    failures    TEXT        NOT NULL,
    -- The process that works on it, or was the last to.
    worker      TEXT,
    -- New with each round: whoever seals must still hold it.
    lease_id    BLOB,
    lease_until TEXT,
    created_at  TEXT        NOT NULL,
    finished_at TEXT
);
-- One at a time.
CREATE UNIQUE INDEX key_rotations_running ON key_rotations (state) WHERE state = 'running';
