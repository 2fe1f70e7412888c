-- Vaults, who may use them, and their secrets.

CREATE TABLE vaults (
    id         uuid        NOT NULL CONSTRAINT vaults_pkey PRIMARY KEY,
    created_by uuid        NOT NULL REFERENCES users (id),
    repo_owner text        NOT NULL,
    repo_name  text        NOT NULL,
    -- Lower case owner/repo; repositories are told apart without regard to case.
    repo_key   text        NOT NULL CONSTRAINT vaults_repo_unique UNIQUE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE vault_members (
    vault_id   uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- 'admin', 'write' or 'read'.
    role       text        NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT vault_members_pkey PRIMARY KEY (vault_id, user_id)
);
CREATE INDEX vault_members_user ON vault_members (user_id);

CREATE TABLE environments (
    id            uuid        NOT NULL CONSTRAINT environments_pkey PRIMARY KEY,
    vault_id      uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name          text        NOT NULL,
    -- 'protected', 'standard' or 'development'.
    kind          text        NOT NULL,
    display_order bigint      NOT NULL,
    -- Raised by every change of its secrets in the same transaction; a sync stores the one it read.
    revision      bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT environments_name_unique UNIQUE (vault_id, name)
);

CREATE TABLE secrets (
    id             uuid        NOT NULL CONSTRAINT secrets_pkey PRIMARY KEY,
    vault_id       uuid        NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    environment_id uuid        NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    key            text        NOT NULL,
    -- Raised with each new value; part of what the ciphertext is bound to.
    version        bigint      NOT NULL,
    -- AES-256-GCM, bound to vault, environment, key and version.
    ciphertext     bytea       NOT NULL,
    -- Which key of the ring sealed it.
    key_id         text        NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    updated_by     uuid        REFERENCES users (id) ON DELETE SET NULL,
    -- When and by whom this value was written; a new name changes the two above only.
    written_at     timestamptz NOT NULL,
    written_by     uuid        REFERENCES users (id) ON DELETE SET NULL,
    -- Set while it lies in the trash.
    deleted_at     timestamptz,
    -- When the trash forgets it.
    expires_at     timestamptz
);
-- One living secret of a name; the trash may hold several.
CREATE UNIQUE INDEX secrets_key_unique ON secrets (environment_id, key) WHERE deleted_at IS NULL;
-- What the trash is to forget.
CREATE INDEX secrets_trash ON secrets (expires_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX secrets_vault ON secrets (vault_id, updated_at);

CREATE TABLE secret_versions (
    id         uuid        NOT NULL CONSTRAINT secret_versions_pkey PRIMARY KEY,
    secret_id  uuid        NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    -- The key it had then: part of what the ciphertext is bound to.
    key        text        NOT NULL,
    version    bigint      NOT NULL,
    ciphertext bytea       NOT NULL,
    key_id     text        NOT NULL,
    -- When this value was written.
    created_at timestamptz NOT NULL,
    created_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT secret_versions_version_unique UNIQUE (secret_id, version)
);
