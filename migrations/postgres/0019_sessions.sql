-- Sessions: what a user who signed in sends instead of an API key.

CREATE TABLE sessions (
    id           uuid        NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the whole token, which has 256 bits of randomness; the token itself is kept nowhere.
    token_hash   bytea       NOT NULL CONSTRAINT sessions_token_unique UNIQUE,
    -- What kind of client signed in: 'cli', 'web', 'api' or 'mcp'.
    platform     text        NOT NULL,
    -- Where from.
    ip           text,
    -- Written at most once a minute, so that reads stay reads.
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

-- With which session something was done. Not a reference: entries outlive sessions.
ALTER TABLE activity ADD COLUMN session_id uuid;
