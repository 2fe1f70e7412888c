-- Webhooks of vaults, and what is sent to them.

CREATE TABLE webhooks (
    id                  uuid        NOT NULL CONSTRAINT webhooks_pkey PRIMARY KEY,
    vault_id            uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    created_by          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    url                 text        NOT NULL,
    -- The types of events that it wants, as a list.
    events              jsonb       NOT NULL,
    -- AES-256-GCM, bound to this row.
    secret_ciphertext   bytea       NOT NULL,
    secret_key_id       text        NOT NULL,
    -- The secret before, which signs as well until its time is over. All or none.
    previous_ciphertext bytea,
    previous_key_id     text,
    previous_until      timestamptz,
    -- Since when no attempt has succeeded.
    failing_since       timestamptz,
    disabled_at         timestamptz,
    -- 'requested', 'gone' or 'failing'.
    disabled_reason     text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX webhooks_vault ON webhooks (vault_id);

-- What a job of the kind 'webhook' sends. The job has everything else: when, how often, by whom, how it
-- ended.
CREATE TABLE webhook_deliveries (
    id              uuid        NOT NULL CONSTRAINT webhook_deliveries_pkey PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    webhook_id      uuid        NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event           text        NOT NULL,
    -- As it is signed and sent. Names and counts; no values.
    body            text        NOT NULL,
    -- What the last attempt was answered with; null without an answer.
    last_status     bigint,
    last_attempt_at timestamptz
);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
