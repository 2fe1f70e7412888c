-- Plans that a preview showed and that a sync may carry out. They hold keys, keyed hashes and stamps;
-- never values.

CREATE TABLE plans (
    id             uuid        NOT NULL CONSTRAINT plans_pkey PRIMARY KEY,
    -- Whom it was shown to: nobody else can use it.
    user_id        uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    vault_id       uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    connection_id  uuid        NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    -- What the preview was asked for.
    request        jsonb       NOT NULL,
    -- Per key: action, reason, and what each side was.
    plan           jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    -- The sync that carries it out: it can be used once.
    job_id         uuid
);
-- What is pruned.
CREATE INDEX plans_expiry ON plans (expires_at);

-- Whether a sync wrote to a project while a preview looked at it.
CREATE INDEX jobs_project_finished ON jobs (project_key, finished_at) WHERE project_key IS NOT NULL;
