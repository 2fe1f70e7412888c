-- Changing the encryption keys while everything runs.

-- The ids of all keys that the process has, as a list; empty when its version does not tell.
ALTER TABLE processes ADD COLUMN key_ids jsonb NOT NULL DEFAULT '[]';

-- A run through everything that is sealed. What it has done is in the rows themselves, each of which says
-- which key sealed it; here is how far it is, and who works on it.
CREATE TABLE key_rotations (
    id          uuid        NOT NULL CONSTRAINT key_rotations_pkey PRIMARY KEY,
    -- The key of the ring that seals everything in the end.
    key_id      text        NOT NULL,
    -- 'running', 'succeeded', 'partial' or 'cancelled'.
    state       text        NOT NULL,
    -- What was sealed with another key when it began …
    total       bigint      NOT NULL,
    -- … and what it has sealed again since. What others wrote meanwhile is in the first only.
    done        bigint      NOT NULL,
    -- What does not open, and is left as it is …
    failed      bigint      NOT NULL,
    -- … by table, column and row, but for those beyond the first thousand.
    failures    jsonb       NOT NULL,
    -- The process that works on it, or was the last to.
    worker      text,
    -- New with each round: whoever seals must still hold it.
    lease_id    uuid,
    lease_until timestamptz,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
);
-- One at a time.
CREATE UNIQUE INDEX key_rotations_running ON key_rotations (state) WHERE state = 'running';
