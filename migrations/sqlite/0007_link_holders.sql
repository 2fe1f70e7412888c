-- One vault at most has links with a destination that are not shared. A query before the insert
-- cannot promise that to two that come at once; a key can.

CREATE TABLE link_holders (
    project_key TEXT NOT NULL,
    service_id  TEXT NOT NULL,
    -- As in `links`.
    scope       TEXT NOT NULL,
    git_branch  TEXT NOT NULL,
    -- Goes to the next vault when nothing refers to it any more.
    vault_id    BLOB NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    CONSTRAINT link_holders_pkey PRIMARY KEY (project_key, service_id, scope, git_branch),
    -- What links refer to.
    CONSTRAINT link_holders_vault UNIQUE (project_key, service_id, scope, git_branch, vault_id)
);
CREATE INDEX link_holders_vault_id ON link_holders (vault_id);

-- SQLite adds no key of several columns to a table that exists: the table is made anew.
CREATE TABLE links_new (
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
    -- The provider's own name of `provider_environment`, which may be a custom environment's slug: a
    -- built-in name or a custom environment's id.
    scope                TEXT        NOT NULL DEFAULT '',
    -- The vault unless shared: refers to the destination's holder.
    held_by              BLOB,
    CONSTRAINT links_destination_unique
        UNIQUE (environment_id, connection_id, project_id, service_id, provider_environment, git_branch),
    CONSTRAINT links_holder FOREIGN KEY (project_key, service_id, scope, git_branch, held_by)
        REFERENCES link_holders (project_key, service_id, scope, git_branch, vault_id)
);

-- Should two have come at once before, the first keeps it.
INSERT INTO link_holders (project_key, service_id, scope, git_branch, vault_id)
    SELECT project_key, service_id, provider_environment, git_branch, vault_id FROM links
    WHERE NOT shared ORDER BY created_at, id
    ON CONFLICT DO NOTHING;
INSERT INTO links_new (id, vault_id, environment_id, connection_id, provider, project_key, project_id,
        project_name, service_id, provider_environment, git_branch, direction, allow_delete,
        delete_scope, shared, last_synced_at, created_at, updated_at, scope, held_by)
    SELECT l.id, l.vault_id, l.environment_id, l.connection_id, l.provider, l.project_key,
        l.project_id, l.project_name, l.service_id, l.provider_environment, l.git_branch, l.direction,
        l.allow_delete, l.delete_scope, l.shared, l.last_synced_at, l.created_at, l.updated_at,
        l.provider_environment, CASE WHEN l.shared THEN NULL ELSE h.vault_id END
    FROM links l LEFT JOIN link_holders h
        ON h.project_key = l.project_key AND h.service_id = l.service_id
            AND h.scope = l.provider_environment AND h.git_branch = l.git_branch
            AND h.vault_id = l.vault_id;

DROP TABLE links;
ALTER TABLE links_new RENAME TO links;
CREATE INDEX links_vault ON links (vault_id);
CREATE INDEX links_project ON links (project_key, service_id, provider_environment, git_branch);
CREATE INDEX links_connection ON links (connection_id);
CREATE INDEX links_scope ON links (project_key, service_id, scope, git_branch);
