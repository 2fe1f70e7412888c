-- Signing in: devices that show a code, and browsers that were sent to GitHub.

CREATE TABLE device_sign_ins (
    id             uuid        NOT NULL CONSTRAINT device_sign_ins_pkey PRIMARY KEY,
    -- SHA-256 of what the device asks again with.
    device_hash    bytea       NOT NULL CONSTRAINT device_sign_ins_device_unique UNIQUE,
    -- SHA-256 of what somebody types in a browser.
    user_code_hash bytea       NOT NULL CONSTRAINT device_sign_ins_user_code_unique UNIQUE,
    -- 'pending', 'approved' or 'denied'.
    state          text        NOT NULL,
    -- Who approved it.
    user_id        uuid        REFERENCES users (id) ON DELETE CASCADE,
    -- Of the device, for whoever is asked.
    platform       text        NOT NULL,
    ip             text,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX device_sign_ins_expiry ON device_sign_ins (expires_at);

CREATE TABLE browser_sign_ins (
    -- SHA-256 of the state parameter.
    state_hash   bytea       NOT NULL CONSTRAINT browser_sign_ins_pkey PRIMARY KEY,
    -- SHA-256 of the cookie of the browser that was sent away.
    browser_hash bytea       NOT NULL,
    -- The device that is let in; null when it is the browser itself.
    device_id    uuid        REFERENCES device_sign_ins (id) ON DELETE CASCADE,
    redirect_uri text,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX browser_sign_ins_expiry ON browser_sign_ins (expires_at);

-- What GitHub gives with a token that ends soon. Sealed as the token is; both or none.
ALTER TABLE github_accounts ADD COLUMN refresh_ciphertext bytea;
ALTER TABLE github_accounts ADD COLUMN refresh_key_id text;
-- When the token ends; null when it does not.
ALTER TABLE github_accounts ADD COLUMN token_expires_at timestamptz;
-- Until when one process has the right to ask for a new one.
ALTER TABLE github_accounts ADD COLUMN refreshing_until timestamptz;
