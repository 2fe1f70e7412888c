-- Accounts that were connected at the provider by somebody who had not begun here: each waits, for a
-- quarter of an hour, until the user who is signed in says that it is theirs.
CREATE TABLE pending_connections (
    id               uuid        NOT NULL CONSTRAINT pending_connections_pkey PRIMARY KEY,
    -- SHA-256 of the cookie of the browser that brought it.
    browser_hash     bytea       NOT NULL,
    provider         text        NOT NULL,
    provider_user_id text        NOT NULL,
    username         text        NOT NULL,
    -- Both null for a personal account.
    provider_team_id text,
    team_name        text,
    installation_id  text,
    -- Where it was begun: 'marketplace', 'deploy-button' or 'external'; null when nobody said.
    source           text,
    -- The provider's page to go on to; its origin was checked when the row was made.
    next             text,
    -- AES-256-GCM, bound to this row.
    token_ciphertext bytea       NOT NULL,
    token_key_id     text        NOT NULL,
    expires_at       timestamptz NOT NULL
);
