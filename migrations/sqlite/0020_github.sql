-- GitHub mode: who somebody is there, and what was last heard of their roles.

CREATE TABLE github_accounts (
    user_id            BLOB    NOT NULL CONSTRAINT github_accounts_pkey PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- What stays; a login can be renamed, and then be taken by somebody else.
    github_id          INTEGER NOT NULL CONSTRAINT github_accounts_id_unique UNIQUE,
    login              TEXT    NOT NULL,
    -- AES-256-GCM, bound to this row: of the last sign-in, to ask for roles with. Both or none.
    token_ciphertext   BLOB,
    token_key_id       TEXT,
    -- Until when the roles in all of the user's repositories need not be asked for.
    repositories_until TEXT,
    updated_at         TEXT    NOT NULL
);

-- The number of the repository: its name can be taken by another one.
ALTER TABLE vaults ADD COLUMN github_repo_id INTEGER;
CREATE UNIQUE INDEX vaults_github_repo ON vaults (github_repo_id);

-- Until when a role that GitHub told counts; null for a member of local mode.
ALTER TABLE vault_members ADD COLUMN valid_until TEXT;
