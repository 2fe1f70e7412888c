-- Requests that bore an `Idempotency-Key`: each has its effect once, however often it is sent.

CREATE TABLE idempotency_keys (
    id           uuid        NOT NULL CONSTRAINT idempotency_keys_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 over method, path and key.
    slot         bytea       NOT NULL,
    -- HMAC-SHA256 of query and body, and the id of the key of the ring that it was made with: bodies
    -- bear secrets.
    mac          bytea       NOT NULL,
    mac_key_id   text        NOT NULL,
    -- The job that it made, from the transaction that made it. No foreign key: a job may be gone
    -- before its key is.
    job_id       uuid,
    answered     boolean     NOT NULL,
    -- Null where the answer bore a secret: then it is not kept.
    status       bigint,
    answer       jsonb,
    location     text,
    -- The scopes and roles that it was answered under.
    authority    jsonb,
    -- Until then, one that has neither job nor answer is on its way.
    locked_until timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_slot UNIQUE (user_id, slot)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
