-- Accounts at providers, and the destinations that vault environments are linked with.

CREATE TABLE connections (
    id                  uuid        NOT NULL CONSTRAINT connections_pkey PRIMARY KEY,
    user_id             uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider            text        NOT NULL,
    -- The team's id, or the user's for a personal account.
    provider_account_id text        NOT NULL,
    provider_user_id    text        NOT NULL,
    provider_team_id    text,
    -- The installation of our integration, when connected by OAuth.
    installation_id     text,
    account_name        text        NOT NULL,
    -- 'oauth' or 'token'.
    auth_method         text        NOT NULL,
    -- AES-256-GCM, bound to this row.
    token_ciphertext    bytea       NOT NULL,
    token_key_id        text        NOT NULL,
    -- 'active' or 'needs-reconnect'.
    status              text        NOT NULL,
    -- When it was made, or made again.
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    -- Reconnecting the same account updates its row.
    CONSTRAINT connections_account_unique UNIQUE (user_id, provider, provider_account_id)
);

CREATE TABLE oauth_states (
    -- SHA-256 of the state parameter.
    state_hash   bytea       NOT NULL CONSTRAINT oauth_states_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider     text        NOT NULL,
    -- Where the browser goes in the end; its origin was checked when the row was made.
    redirect_uri text,
    -- SHA-256 of the cookie of the browser that started.
    browser_hash bytea       NOT NULL,
    expires_at   timestamptz NOT NULL
);

CREATE TABLE links (
    id                   uuid        NOT NULL CONSTRAINT links_pkey PRIMARY KEY,
    vault_id             uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    environment_id       uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    connection_id        uuid        NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    provider             text        NOT NULL,
    -- provider|origin|project id: the project, whichever connection reaches it.
    project_key          text        NOT NULL,
    project_id           text        NOT NULL,
    project_name         text,
    -- Empty for none, so that uniqueness sees it.
    service_id           text        NOT NULL,
    provider_environment text        NOT NULL,
    -- Empty for none, so that uniqueness sees it.
    git_branch           text        NOT NULL,
    -- 'push' or 'pull'.
    direction            text        NOT NULL,
    allow_delete         boolean     NOT NULL,
    -- 'all' or 'managed'.
    delete_scope         text        NOT NULL,
    -- Another vault may write to the same destination.
    shared               boolean     NOT NULL,
    last_synced_at       timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    CONSTRAINT links_destination_unique
        UNIQUE (environment_id, connection_id, project_id, service_id, provider_environment, git_branch)
);
CREATE INDEX links_vault ON links (vault_id);
CREATE INDEX links_project ON links (project_key, service_id, provider_environment, git_branch);
CREATE INDEX links_connection ON links (connection_id);
