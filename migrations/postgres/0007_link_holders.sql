-- One vault at most has links with a destination that are not shared. A query before the insert
-- cannot promise that to two that come at once; a key can.

CREATE TABLE link_holders (
    project_key text NOT NULL,
    service_id  text NOT NULL,
    -- As in `links`.
    scope       text NOT NULL,
    git_branch  text NOT NULL,
    -- Goes to the next vault when nothing refers to it any more.
    vault_id    uuid NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    CONSTRAINT link_holders_pkey PRIMARY KEY (project_key, service_id, scope, git_branch),
    -- What links refer to.
    CONSTRAINT link_holders_vault UNIQUE (project_key, service_id, scope, git_branch, vault_id)
);
CREATE INDEX link_holders_vault_id ON link_holders (vault_id);

-- The provider's own name of `provider_environment`, which may be a custom environment's slug: a
-- built-in name or a custom environment's id.
ALTER TABLE links ADD COLUMN scope text NOT NULL DEFAULT '';
-- The vault unless shared: refers to the destination's holder.
ALTER TABLE links ADD COLUMN held_by uuid;

UPDATE links SET scope = provider_environment;
-- Should two have come at once before, the first keeps it.
INSERT INTO link_holders (project_key, service_id, scope, git_branch, vault_id)
    SELECT project_key, service_id, scope, git_branch, vault_id FROM links WHERE NOT shared
    ORDER BY created_at, id
    ON CONFLICT DO NOTHING;
UPDATE links SET held_by = vault_id
    WHERE NOT shared AND EXISTS (SELECT 1 FROM link_holders h
        WHERE h.project_key = links.project_key AND h.service_id = links.service_id
            AND h.scope = links.scope AND h.git_branch = links.git_branch
            AND h.vault_id = links.vault_id);

ALTER TABLE links ADD CONSTRAINT links_holder
    FOREIGN KEY (project_key, service_id, scope, git_branch, held_by)
    REFERENCES link_holders (project_key, service_id, scope, git_branch, vault_id);
CREATE INDEX links_scope ON links (project_key, service_id, scope, git_branch);
