-- Jobs that are not to be started, until somebody says otherwise.

CREATE TABLE pauses (
    id         BLOB        NOT NULL CONSTRAINT pauses_pkey PRIMARY KEY,
    -- Empty for all providers, so that uniqueness sees it.
    provider   TEXT        NOT NULL,
    -- Null: from the command line.
    user_id    BLOB        REFERENCES users (id) ON DELETE SET NULL,
    created_at TEXT        NOT NULL,
    CONSTRAINT pauses_provider UNIQUE (provider)
);
CREATE INDEX pauses_user ON pauses (user_id);

-- Syncs of its pair wait.
ALTER TABLE links ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
-- A claim looks here: mostly there is nothing.
CREATE INDEX links_paused ON links (environment_id, connection_id) WHERE paused;
