-- A reference is checked for each row, and a push writes two rows for each key: half of what the
-- database did for it. The writes check once for a statement that the environment is there, and what
-- deletes an environment deletes these rows.

-- SQLite drops no reference of a table that exists: the tables are made anew.
CREATE TABLE fingerprints_new (
    vault_id       BLOB    NOT NULL,
    environment_id BLOB    NOT NULL,
    -- provider|origin|project id
    project_key    TEXT    NOT NULL,
    -- service|scope|branch
    slot           TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    remote_id      TEXT    NOT NULL,
    -- The remote row's own mark of its last change, as that write or read showed it.
    stamp          TEXT    NOT NULL,
    -- HMAC-SHA256 of the value under the installation's fingerprint key.
    mac            BLOB    NOT NULL,
    updated_at     TEXT    NOT NULL,
    CONSTRAINT fingerprints_pkey PRIMARY KEY (environment_id, project_key, slot, key)
);
INSERT INTO fingerprints_new (vault_id, environment_id, project_key, slot, key, remote_id, stamp, mac,
        updated_at)
    SELECT vault_id, environment_id, project_key, slot, key, remote_id, stamp, mac, updated_at
    FROM fingerprints;
DROP TABLE fingerprints;
ALTER TABLE fingerprints_new RENAME TO fingerprints;
CREATE INDEX fingerprints_project ON fingerprints (project_key, slot);

CREATE TABLE written_keys_new (
    -- Keys that a vault environment wrote to a destination: what it manages, and what others must
    -- not delete. Unlike a fingerprint it does not come from reading, and outlives a suspicion.
    vault_id       BLOB    NOT NULL,
    environment_id BLOB    NOT NULL,
    project_key    TEXT    NOT NULL,
    slot           TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    written_at     TEXT    NOT NULL,
    CONSTRAINT written_keys_pkey PRIMARY KEY (environment_id, project_key, slot, key)
);
INSERT INTO written_keys_new (vault_id, environment_id, project_key, slot, key, written_at)
    SELECT vault_id, environment_id, project_key, slot, key, written_at FROM written_keys;
DROP TABLE written_keys;
ALTER TABLE written_keys_new RENAME TO written_keys;
CREATE INDEX written_keys_project ON written_keys (project_key, slot);
