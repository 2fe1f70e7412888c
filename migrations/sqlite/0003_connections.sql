-- Accounts at providers, and the destinations that vault environments are linked with.

CREATE TABLE connections (
    id                  BLOB        NOT NULL CONSTRAINT connections_pkey PRIMARY KEY,
    user_id             BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider            TEXT        NOT NULL,
    -- The team's id, or the user's for a personal account.
    provider_account_id TEXT        NOT NULL,
    provider_user_id    TEXT        NOT NULL,
    provider_team_id    TEXT,
    -- The installation of our integration, when connected by OAuth.
    installation_id     TEXT,
    account_name        TEXT        NOT NULL,
    -- 'oauth' or 'token'.
    auth_method         TEXT        NOT NULL,
    -- AES-256-GCM, bound to this row.
    token_ciphertext    BLOB        NOT NULL,
    token_key_id        TEXT        NOT NULL,
    -- 'active' or 'needs-reconnect'.
    status              TEXT        NOT NULL,
    -- When it was made, or made again.
    created_at          TEXT        NOT NULL,
    updated_at          TEXT        NOT NULL,
    -- Reconnecting the same account updates its row.
    CONSTRAINT connections_account_unique UNIQUE (user_id, provider, provider_account_id)
);

CREATE TABLE oauth_states (
    -- SHA-256 of the state parameter.
    state_hash   BLOB        NOT NULL CONSTRAINT oauth_states_pkey PRIMARY KEY,
    user_id      BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider     TEXT        NOT NULL,
    -- Where the browser goes in the end; its origin was checked when the row was made.
    redirect_uri TEXT,
    -- SHA-256 of the cookie of the browser that started.
    browser_hash BLOB        NOT NULL,
    expires_at   TEXT        NOT NULL
);

CREATE TABLE links (
    id                   BLOB        NOT NULL CONSTRAINT links_pkey PRIMARY KEY,
    vault_id             BLOB        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    environment_id       BLOB        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    connection_id        BLOB        NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    provider             TEXT        NOT NULL,
    -- provider|origin|project id: the project, whichever connection reaches it.
    project_key          TEXT        NOT NULL,
    project_id           TEXT        NOT NULL,
    project_name         TEXT,
    -- Empty for none, so that uniqueness sees it.
    service_id           TEXT        NOT NULL,
    provider_environment TEXT        NOT NULL,
    -- Empty for none, so that uniqueness sees it.
    git_branch           TEXT        NOT NULL,
    -- 'push' or 'pull'.
    direction            TEXT        NOT NULL,
    allow_delete         INTEGER     NOT NULL,
    -- 'all' or 'managed'.
    delete_scope         TEXT        NOT NULL,
    -- Another vault may write to the same destination.
    shared               INTEGER     NOT NULL,
    last_synced_at       TEXT,
    created_at           TEXT        NOT NULL,
    updated_at           TEXT        NOT NULL,
    CONSTRAINT links_destination_unique
        UNIQUE (environment_id, connection_id, project_id, service_id, provider_environment, git_branch)
);
CREATE INDEX links_vault ON links (vault_id);
CREATE INDEX links_project ON links (project_key, service_id, provider_environment, git_branch);
CREATE INDEX links_connection ON links (connection_id);
