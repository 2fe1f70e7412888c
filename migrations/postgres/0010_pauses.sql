-- Jobs that are not to be started, until somebody says otherwise.

CREATE TABLE pauses (
    id         uuid        NOT NULL CONSTRAINT pauses_pkey PRIMARY KEY,
    -- Empty for all providers, so that uniqueness sees it.
    provider   text        NOT NULL,
    -- Null: from the command line.
    user_id    uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pauses_provider UNIQUE (provider)
);
CREATE INDEX pauses_user ON pauses (user_id);

-- Syncs of its pair wait.
ALTER TABLE links ADD COLUMN paused boolean NOT NULL DEFAULT FALSE;
-- A claim looks here: mostly there is nothing.
CREATE INDEX links_paused ON links (environment_id, connection_id) WHERE paused;
