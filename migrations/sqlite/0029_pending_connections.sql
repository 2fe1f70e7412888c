-- Accounts that were connected at the provider by somebody who had not begun here: each waits, for a
-- quarter of an hour, until the user who is signed in says that it is theirs.
CREATE TABLE pending_connections (
    id               BLOB        NOT NULL CONSTRAINT pending_connections_pkey PRIMARY KEY,
    -- SHA-256 of the cookie of the browser that brought it.
    browser_hash     BLOB        NOT NULL,
    provider         TEXT        NOT NULL,
    provider_user_id TEXT        NOT NULL,
    username         TEXT        NOT NULL,
    -- Both null for a personal account.
    provider_team_id TEXT,
    team_name        TEXT,
    installation_id  TEXT,
    -- Where it was begun: 'marketplace', 'deploy-button' or 'external'; null when nobody said.
    source           TEXT,
    -- The provider's page to go on to; its origin was checked when the row was made.
    next             TEXT,
    -- AES-256-GCM, bound to this row.
    token_ciphertext BLOB        NOT NULL,
    token_key_id     TEXT        NOT NULL,
    expires_at       TEXT        NOT NULL
);
