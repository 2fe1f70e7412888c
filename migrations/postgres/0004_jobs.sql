-- Jobs: the truth about what was accepted. Redis holds ids only.

CREATE TABLE jobs (
    id               uuid        NOT NULL CONSTRAINT jobs_pkey PRIMARY KEY,
    -- 'sync', 'preview', 'diff' or 'status'.
    kind             text        NOT NULL,
    -- 'interactive' or 'background'; the larger word goes first.
    class            text        NOT NULL,
    -- 'queued', 'running', 'waiting', 'succeeded', 'partial', 'failed' or 'cancelled'.
    state            text        NOT NULL,
    -- Runs that count against the limit of attempts.
    attempt          bigint      NOT NULL,
    -- Claims, counted or not.
    run              bigint      NOT NULL,
    -- Takeovers from a dead process without progress in between.
    takeovers        bigint      NOT NULL,
    user_id          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    vault_id         uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    -- No foreign keys: a job's history outlives its environment and its connection.
    environment_id   uuid        NOT NULL,
    connection_id    uuid        NOT NULL,
    -- provider|origin|project id for jobs that write, once the id is known; null for readers.
    project_key      text,
    -- Ids, names and switches; never values.
    request          jsonb       NOT NULL,
    -- Not before this time; while waiting, the end of the wait.
    due_at           timestamptz NOT NULL,
    waiting_reason   text,
    -- When the sweeper hands it out (again) if nobody took it.
    ring_at          timestamptz NOT NULL,
    -- Rings without a claim; each doubles the pause to the next.
    rings            bigint      NOT NULL,
    -- The API instance whose caller waits.
    reply_to         text,
    -- The process that holds it, or held it last.
    worker           text,
    -- New with each claim: whoever settles must still hold it.
    lease_id         uuid,
    lease_until      timestamptz,
    -- When the lease was granted or renewed last. In the future: the clock was set back since, and
    -- the lease counts as expired.
    leased_at        timestamptz,
    -- When the run under way, or the last one, began.
    claimed_at       timestamptz,
    -- Stop before the next call.
    cancel_requested boolean     NOT NULL,
    progress_done    bigint      NOT NULL,
    progress_total   bigint      NOT NULL,
    provider_calls   bigint      NOT NULL,
    rate_limited_ms  bigint      NOT NULL,
    error_code       text,
    -- A sentence of ours, never a provider's.
    error            text,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    -- It fails at this time if it has not ended.
    deadline_at      timestamptz NOT NULL
);
-- At most one writing job of a project runs at a time, whatever connection it came through.
CREATE UNIQUE INDEX jobs_project_running ON jobs (project_key) WHERE state = 'running';
-- What the sweeper hands out.
CREATE INDEX jobs_due ON jobs (class, ring_at) WHERE state IN ('queued', 'waiting');
-- Whose lease ran out.
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE state = 'running';
-- What is past its deadline.
CREATE INDEX jobs_deadline ON jobs (deadline_at) WHERE state IN ('queued', 'waiting');
-- Who is next in a project.
CREATE INDEX jobs_project_next ON jobs (project_key, class, created_at) WHERE state IN ('queued', 'waiting');
-- History.
CREATE INDEX jobs_user ON jobs (user_id, id);
CREATE INDEX jobs_vault ON jobs (vault_id, id);
CREATE INDEX jobs_connection ON jobs (connection_id, id);

CREATE TABLE job_attempts (
    job_id      uuid        NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    run         bigint      NOT NULL,
    worker      text        NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    -- The state it was left in, or 'lost'.
    outcome     text        NOT NULL,
    error_code  text,
    CONSTRAINT job_attempts_pkey PRIMARY KEY (job_id, run)
);

CREATE TABLE job_reports (
    job_id   uuid  NOT NULL CONSTRAINT job_reports_pkey PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    -- The actions of the first plan, recorded before the first write: what was done by an earlier
    -- run looks unchanged to a later one, and is still counted.
    planned  jsonb,
    -- Per key: action, reason, failure.
    outcomes jsonb,
    -- What the caller is answered.
    result   jsonb
);

CREATE TABLE fingerprints (
    -- Goes with its environment; a key of its own would be checked for each of a thousand rows.
    vault_id       uuid        NOT NULL,
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    -- provider|origin|project id
    project_key    text        NOT NULL,
    -- service|scope|branch
    slot           text        NOT NULL,
    key            text        NOT NULL,
    remote_id      text        NOT NULL,
    -- The remote row's own mark of its last change, as that write or read showed it.
    stamp          text        NOT NULL,
    -- HMAC-SHA256 of the value under the installation's fingerprint key.
    mac            bytea       NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT fingerprints_pkey PRIMARY KEY (environment_id, project_key, slot, key)
);
CREATE INDEX fingerprints_project ON fingerprints (project_key, slot);

CREATE TABLE written_keys (
    -- Keys that a vault environment wrote to a destination: what it manages, and what others must
    -- not delete. Unlike a fingerprint it does not come from reading, and outlives a suspicion.
    vault_id       uuid        NOT NULL,
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    project_key    text        NOT NULL,
    slot           text        NOT NULL,
    key            text        NOT NULL,
    written_at     timestamptz NOT NULL,
    CONSTRAINT written_keys_pkey PRIMARY KEY (environment_id, project_key, slot, key)
);
CREATE INDEX written_keys_project ON written_keys (project_key, slot);

CREATE TABLE project_splits (
    id             uuid        NOT NULL CONSTRAINT project_splits_pkey PRIMARY KEY,
    project_key    text        NOT NULL,
    job_id         uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    vault_id       uuid        NOT NULL,
    environment_id uuid        NOT NULL,
    connection_id  uuid        NOT NULL,
    -- Key, row, prior scopes, destination; no value.
    split          jsonb       NOT NULL,
    opened_at      timestamptz NOT NULL,
    closed_at      timestamptz
);
CREATE INDEX project_splits_open ON project_splits (project_key) WHERE closed_at IS NULL;

CREATE TABLE syncs (
    -- The last successful sync of a pair of vault environment and destination.
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    project_key    text        NOT NULL,
    slot           text        NOT NULL,
    direction      text        NOT NULL,
    -- The vault revision it read.
    revision       bigint      NOT NULL,
    job_id         uuid        NOT NULL,
    synced_at      timestamptz NOT NULL,
    CONSTRAINT syncs_pkey PRIMARY KEY (environment_id, project_key, slot, direction)
);
