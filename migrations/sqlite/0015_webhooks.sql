-- Webhooks of vaults, and what is sent to them.

CREATE TABLE webhooks (
    id                  BLOB        NOT NULL CONSTRAINT webhooks_pkey PRIMARY KEY,
    vault_id            BLOB        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    created_by          BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    url                 TEXT        NOT NULL,
    -- The types of events that it wants, as a list.
    events              TEXT        NOT NULL,
    -- AES-256-GCM, bound to this row.
    secret_ciphertext   BLOB        NOT NULL,
    secret_key_id       TEXT        NOT NULL,
    -- The secret before, which signs as well until its time is over. All or none.
    previous_ciphertext BLOB,
    previous_key_id     TEXT,
    previous_until      TEXT,
    -- Since when no attempt has succeeded.
    failing_since       TEXT,
    disabled_at         TEXT,
    -- 'requested', 'gone' or 'failing'.
    disabled_reason     TEXT,
    created_at          TEXT        NOT NULL,
    updated_at          TEXT        NOT NULL
);
CREATE INDEX webhooks_vault ON webhooks (vault_id);

-- What a job of the kind 'webhook' sends. The job has everything else: when, how often, by whom, how it
-- ended.
CREATE TABLE webhook_deliveries (
    id              BLOB        NOT NULL CONSTRAINT webhook_deliveries_pkey PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    webhook_id      BLOB        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event           TEXT        NOT NULL,
    -- As it is signed and sent. Names and counts; no values.
    body            TEXT        NOT NULL,
    -- What the last attempt was answered with; null without an answer.
    last_status     INTEGER,
    last_attempt_at TEXT
);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
