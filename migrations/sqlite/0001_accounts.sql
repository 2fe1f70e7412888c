-- Users, their API keys, and the settings that belong to the installation itself.

CREATE TABLE users (
    id           BLOB        NOT NULL CONSTRAINT users_pkey PRIMARY KEY,
    -- As the user writes it.
    username     TEXT        NOT NULL,
    -- Lower case; what uniqueness is judged by.
    username_key TEXT        NOT NULL CONSTRAINT users_username_unique UNIQUE,
    -- May pause, resume and look at the jobs of others.
    operator     INTEGER     NOT NULL,
    created_at   TEXT        NOT NULL
);

CREATE TABLE api_keys (
    id           BLOB        NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
    user_id      BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT        NOT NULL,
    -- 'live' or 'test'.
    environment  TEXT        NOT NULL,
    -- The visible beginning of the token.
    prefix       TEXT        NOT NULL,
    -- SHA-256 of the whole token, which has 238 bits of randomness; the token itself is kept nowhere.
    token_hash   BLOB        NOT NULL CONSTRAINT api_keys_token_unique UNIQUE,
    -- JSON array of scope words.
    scopes       TEXT        NOT NULL,
    expires_at   TEXT,
    -- Written at most once a minute, so that reads stay reads.
    last_used_at TEXT,
    usage_count  INTEGER     NOT NULL,
    created_at   TEXT        NOT NULL,
    revoked_at   TEXT
);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE settings (
    -- 'fingerprint-key': the random HMAC key of fingerprints, sealed by the key ring; it also shows
    -- at start whether the ring is the right one.
    name   TEXT  NOT NULL CONSTRAINT settings_pkey PRIMARY KEY,
    value  BLOB  NOT NULL,
    -- Which key of the ring sealed it.
    key_id TEXT  NOT NULL
);

CREATE TABLE processes (
    -- Host, pid and a random part; new with each start.
    id           TEXT        NOT NULL CONSTRAINT processes_pkey PRIMARY KEY,
    -- 'worker' or 'api'.
    role         TEXT        NOT NULL,
    started_at   TEXT        NOT NULL,
    -- A process whose heartbeat stopped is dead; its jobs are taken over after their leases.
    heartbeat_at TEXT        NOT NULL,
    -- The encryption key it seals with: a key may be dropped once no live process has it active.
    active_key_id TEXT       NOT NULL
);
