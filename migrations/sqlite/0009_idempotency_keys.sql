-- Requests that bore an `Idempotency-Key`: each has its effect once, however often it is sent.

CREATE TABLE idempotency_keys (
    id           BLOB        NOT NULL CONSTRAINT idempotency_keys_pkey PRIMARY KEY,
    user_id      BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 over method, path and key.
    slot         BLOB        NOT NULL,
    -- HMAC-SHA256 of query and body, and the id of the key of the ring that it was made with: bodies
    -- bear secrets.
    mac          BLOB        NOT NULL,
    mac_key_id   TEXT        NOT NULL,
    -- The job that it made, from the transaction that made it. No foreign key: a job may be gone
    -- before its key is.
    job_id       BLOB,
    answered     INTEGER     NOT NULL,
    -- Null where the answer bore a secret: then it is not kept.
    status       INTEGER,
    answer       TEXT,
    location     TEXT,
    -- The scopes and roles that it was answered under.
    authority    TEXT,
    -- Until then, one that has neither job nor answer is on its way.
    locked_until TEXT        NOT NULL,
    created_at   TEXT        NOT NULL,
    expires_at   TEXT        NOT NULL,
    CONSTRAINT idempotency_keys_slot UNIQUE (user_id, slot)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
