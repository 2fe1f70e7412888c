-- What is known of a destination becomes one row instead of two for each of its keys and one for each
-- direction: a push of a thousand keys wrote two thousand rows, and a sync that finds nothing to do read
-- a thousand.

-- A process of before that is about to commit what it wrote there must not be missed.
LOCK TABLE fingerprints, written_keys, syncs IN ACCESS EXCLUSIVE MODE;

CREATE TABLE destinations (
    environment_id uuid        NOT NULL CONSTRAINT destinations_environment_id_fkey
        REFERENCES environments (id) ON DELETE CASCADE,
    -- provider|origin|project id
    project_key    text        NOT NULL,
    -- service|scope|branch; of what a pull wrote to the vault: pull:service|scope|branch
    slot           text        NOT NULL,
    -- By key: the remote row's id, its own mark of its last change as the write or read of the value
    -- showed it (stamp), and the HMAC-SHA256 of the value under the installation's fingerprint key (mac).
    fingerprints   jsonb       NOT NULL,
    -- The keys that the environment wrote there: what it manages, and what others must not delete.
    -- Unlike a fingerprint that does not come from reading, and outlives a suspicion.
    written        jsonb       NOT NULL,
    -- The last successful sync in each direction.
    pushed_at      timestamptz,
    pulled_at      timestamptz,
    CONSTRAINT destinations_pkey PRIMARY KEY (environment_id, project_key, slot)
);
CREATE INDEX destinations_project ON destinations (project_key, slot);

INSERT INTO destinations (environment_id, project_key, slot, fingerprints, written, pushed_at, pulled_at)
SELECT p.environment_id, p.project_key, p.slot,
    COALESCE((SELECT jsonb_object_agg(f.key, jsonb_build_object('remote_id', f.remote_id,
            'stamp', f.stamp, 'mac', encode(f.mac, 'hex')))
        FROM fingerprints f WHERE f.environment_id = p.environment_id
            AND f.project_key = p.project_key AND f.slot = p.slot), '{}'),
    COALESCE((SELECT jsonb_object_agg(w.key, true)
        FROM written_keys w WHERE w.environment_id = p.environment_id
            AND w.project_key = p.project_key AND w.slot = p.slot), '{}'),
    (SELECT s.synced_at FROM syncs s WHERE s.environment_id = p.environment_id
        AND s.project_key = p.project_key AND s.slot = p.slot AND s.direction = 'push'),
    (SELECT s.synced_at FROM syncs s WHERE s.environment_id = p.environment_id
        AND s.project_key = p.project_key AND s.slot = p.slot AND s.direction = 'pull')
FROM (SELECT environment_id, project_key, slot FROM fingerprints
    UNION SELECT environment_id, project_key, slot FROM written_keys
    UNION SELECT environment_id, project_key, slot FROM syncs) AS p
WHERE EXISTS (SELECT 1 FROM environments e WHERE e.id = p.environment_id);

DROP TABLE fingerprints;
DROP TABLE written_keys;
DROP TABLE syncs;
