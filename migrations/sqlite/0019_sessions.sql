-- Sessions: what a user who signed in sends instead of an API key.

CREATE TABLE sessions (
    id           BLOB        NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id      BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the whole token, which has 256 bits of randomness; the token itself is kept nowhere.
    token_hash   BLOB        NOT NULL CONSTRAINT sessions_token_unique UNIQUE,
    -- What kind of client signed in: 'cli', 'web', 'api' or 'mcp'.
    platform     TEXT        NOT NULL,
    -- Where from.
    ip           TEXT,
    -- Written at most once a minute, so that reads stay reads.
    last_used_at TEXT,
    created_at   TEXT        NOT NULL,
    expires_at   TEXT        NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

-- With which session something was done. Not a reference: entries outlive sessions.
ALTER TABLE activity ADD COLUMN session_id BLOB;
