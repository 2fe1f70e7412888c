-- Who did what, when, from where. Rows are only ever added, and hold no values.

CREATE TABLE activity (
    id             uuid        NOT NULL CONSTRAINT activity_pkey PRIMARY KEY,
    at             timestamptz NOT NULL,
    action         text        NOT NULL,
    -- No foreign keys: an entry outlives what it tells of.
    user_id        uuid,
    username       text        NOT NULL,
    vault_id       uuid,
    repo_full_name text,
    -- 'cli', 'web', 'api' or 'mcp'.
    platform       text        NOT NULL,
    ip             text,
    api_key_id     uuid,
    request_id     text,
    metadata       jsonb       NOT NULL
);
CREATE INDEX activity_user ON activity (user_id, id);
CREATE INDEX activity_vault ON activity (vault_id, id);
