-- Who did what, when, from where. Rows are only ever added, and hold no values.

CREATE TABLE activity (
    id             BLOB        NOT NULL CONSTRAINT activity_pkey PRIMARY KEY,
    at             TEXT        NOT NULL,
    action         TEXT        NOT NULL,
    -- No foreign keys: an entry outlives what it tells of.
    user_id        BLOB,
    username       TEXT        NOT NULL,
    vault_id       BLOB,
    repo_full_name TEXT,
    -- 'cli', 'web', 'api' or 'mcp'.
    platform       TEXT        NOT NULL,
    ip             TEXT,
    api_key_id     BLOB,
    request_id     TEXT,
    metadata       TEXT        NOT NULL
);
CREATE INDEX activity_user ON activity (user_id, id);
CREATE INDEX activity_vault ON activity (vault_id, id);
