-- Signing in: devices that show a code, and browsers that were sent to GitHub.

CREATE TABLE device_sign_ins (
    id             BLOB        NOT NULL CONSTRAINT device_sign_ins_pkey PRIMARY KEY,
    -- SHA-256 of what the device asks again with.
    device_hash    BLOB       NOT NULL CONSTRAINT device_sign_ins_device_unique UNIQUE,
    -- SHA-256 of what somebody types in a browser.
    user_code_hash BLOB       NOT NULL CONSTRAINT device_sign_ins_user_code_unique UNIQUE,
    -- 'pending', 'approved' or 'denied'.
    state          TEXT        NOT NULL,
    -- Who approved it.
    user_id        BLOB        REFERENCES users (id) ON DELETE CASCADE,
    -- Of the device, for whoever is asked.
    platform       TEXT        NOT NULL,
    ip             TEXT,
    created_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL
);
CREATE INDEX device_sign_ins_expiry ON device_sign_ins (expires_at);

CREATE TABLE browser_sign_ins (
    -- SHA-256 of the state parameter.
    state_hash   BLOB       NOT NULL CONSTRAINT browser_sign_ins_pkey PRIMARY KEY,
    -- SHA-256 of the cookie of the browser that was sent away.
    browser_hash BLOB       NOT NULL,
    -- The device that is let in; null when it is the browser itself.
    device_id    BLOB        REFERENCES device_sign_ins (id) ON DELETE CASCADE,
    redirect_uri TEXT,
    expires_at   TEXT NOT NULL
);
CREATE INDEX browser_sign_ins_expiry ON browser_sign_ins (expires_at);

-- What GitHub gives with a token that ends soon. Sealed as the token is; both or none.
ALTER TABLE github_accounts ADD COLUMN refresh_ciphertext BLOB;
ALTER TABLE github_accounts ADD COLUMN refresh_key_id TEXT;
-- When the token ends; null when it does not.
ALTER TABLE github_accounts ADD COLUMN token_expires_at TEXT;
-- Until when one process has the right to ask for a new one.
ALTER TABLE github_accounts ADD COLUMN refreshing_until TEXT;
