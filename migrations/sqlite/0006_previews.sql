-- Plans that a preview showed and that a sync may carry out. They hold keys, keyed hashes and stamps;
-- never values.

CREATE TABLE plans (
    id             BLOB        NOT NULL CONSTRAINT plans_pkey PRIMARY KEY,
    -- Whom it was shown to: nobody else can use it.
    user_id        BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    vault_id       BLOB        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    environment_id BLOB        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    connection_id  BLOB        NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    -- What the preview was asked for.
    request        TEXT        NOT NULL,
    -- Per key: action, reason, and what each side was.
    plan           TEXT        NOT NULL,
    created_at     TEXT        NOT NULL,
    expires_at     TEXT        NOT NULL,
    -- The sync that carries it out: it can be used once.
    job_id         BLOB
);
-- What is pruned.
CREATE INDEX plans_expiry ON plans (expires_at);

-- Whether a sync wrote to a project while a preview looked at it.
CREATE INDEX jobs_project_finished ON jobs (project_key, finished_at) WHERE project_key IS NOT NULL;
