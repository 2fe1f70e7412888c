-- Users, their API keys, and the settings that belong to the installation itself.

CREATE TABLE users (
    id           uuid        NOT NULL CONSTRAINT users_pkey PRIMARY KEY,
    -- As the user writes it.
    username     text        NOT NULL,
    -- Lower case; what uniqueness is judged by.
    username_key text        NOT NULL CONSTRAINT users_username_unique UNIQUE,
    -- May pause, resume and look at the jobs of others.
    operator     boolean     NOT NULL,
    created_at   timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id           uuid        NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text        NOT NULL,
    -- 'live' or 'test'.
    environment  text        NOT NULL,
    -- The visible beginning of the token.
    prefix       text        NOT NULL,
    -- SHA-256 of the whole token, which has 238 bits of randomness; the token itself is kept nowhere.
    token_hash   bytea       NOT NULL CONSTRAINT api_keys_token_unique UNIQUE,
    -- JSON array of scope words.
    scopes       jsonb       NOT NULL,
    expires_at   timestamptz,
    -- Written at most once a minute, so that reads stay reads.
    last_used_at timestamptz,
    usage_count  bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE settings (
    -- 'fingerprint-key': the random HMAC key of fingerprints, sealed by the key ring; it also shows
    -- at start whether the ring is the right one.
    name   text  NOT NULL CONSTRAINT settings_pkey PRIMARY KEY,
    value  bytea NOT NULL,
    -- Which key of the ring sealed it.
    key_id text  NOT NULL
);

CREATE TABLE processes (
    -- Host, pid and a random part; new with each start.
    id           text        NOT NULL CONSTRAINT processes_pkey PRIMARY KEY,
    -- 'worker' or 'api'.
    role         text        NOT NULL,
    started_at   timestamptz NOT NULL,
    -- A process whose heartbeat stopped is dead; its jobs are taken over after their leases.
    heartbeat_at timestamptz NOT NULL,
    -- The encryption key it seals with: a key may be dropped once no live process has it active.
    active_key_id text       NOT NULL
);
