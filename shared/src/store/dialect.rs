//! The few places where the two databases want different words.

/// The fragments of one database.
pub(super) struct Dialect {
    /// Ends a SELECT whose rows are to be locked until the end of the transaction, without standing
    /// in the way of rows that only refer to them. SQLite's writers hold the whole database anyway.
    pub(super) for_update: &'static str,
    /// The same, leaving out what others have locked.
    pub(super) skip_locked: &'static str,
    /// Saves the fingerprints in the JSON list `$5`, if their environment is there. A thousand rows are one parameter, so that the
    /// statement is prepared once and not parsed with thousands of them.
    pub(super) put_fingerprints: &'static str,
    /// Notes the written keys in the JSON list `$5`, if their environment is there.
    pub(super) mark_written: &'static str,
    /// Records the plan `$3` of the job `$1` while its lease `$2` holds. The job's row is locked:
    /// whoever would take the job over waits until the plan is recorded.
    pub(super) record_plan: &'static str,
}

pub(super) const POSTGRES: Dialect = Dialect {
    for_update: "FOR NO KEY UPDATE",
    skip_locked: "FOR NO KEY UPDATE SKIP LOCKED",
    put_fingerprints: "INSERT INTO fingerprints (vault_id, environment_id, project_key, slot, key,
             remote_id, stamp, mac, updated_at)
         SELECT $1, e.id, $3, $4, r.key, r.remote_id, r.stamp, decode(r.mac, 'hex'), $6
         FROM environments e,
             jsonb_to_recordset($5) AS r (key text, remote_id text, stamp text, mac text)
         WHERE e.id = $2 FOR KEY SHARE OF e
         ON CONFLICT (environment_id, project_key, slot, key) DO UPDATE SET
             remote_id = excluded.remote_id, stamp = excluded.stamp, mac = excluded.mac,
             updated_at = excluded.updated_at",
    mark_written: "INSERT INTO written_keys
             (vault_id, environment_id, project_key, slot, key, written_at)
         SELECT $1, e.id, $3, $4, r.key, $6
         FROM environments e, jsonb_array_elements_text($5) AS r (key)
         WHERE e.id = $2 FOR KEY SHARE OF e
         ON CONFLICT (environment_id, project_key, slot, key) DO UPDATE SET
             written_at = excluded.written_at",
    record_plan: "INSERT INTO job_reports (job_id, planned)
         SELECT id, $3 FROM jobs WHERE id = $1 AND lease_id = $2 AND state = 'running'
         FOR NO KEY UPDATE
         ON CONFLICT (job_id) DO UPDATE SET planned = excluded.planned",
};

pub(super) const SQLITE: Dialect = Dialect {
    for_update: "",
    skip_locked: "",
    put_fingerprints: "INSERT INTO fingerprints (vault_id, environment_id, project_key, slot, key,
             remote_id, stamp, mac, updated_at)
         SELECT $1, e.id, $3, $4, r.value ->> 'key', r.value ->> 'remote_id', r.value ->> 'stamp',
             unhex(r.value ->> 'mac'), $6
         FROM environments e, json_each($5) AS r WHERE e.id = $2
         ON CONFLICT (environment_id, project_key, slot, key) DO UPDATE SET
             remote_id = excluded.remote_id, stamp = excluded.stamp, mac = excluded.mac,
             updated_at = excluded.updated_at",
    mark_written: "INSERT INTO written_keys
             (vault_id, environment_id, project_key, slot, key, written_at)
         SELECT $1, e.id, $3, $4, r.value, $6
         FROM environments e, json_each($5) AS r WHERE e.id = $2
         ON CONFLICT (environment_id, project_key, slot, key) DO UPDATE SET
             written_at = excluded.written_at",
    record_plan: "INSERT INTO job_reports (job_id, planned)
         SELECT id, $3 FROM jobs WHERE id = $1 AND lease_id = $2 AND state = 'running'
         ON CONFLICT (job_id) DO UPDATE SET planned = excluded.planned",
};
