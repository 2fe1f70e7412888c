//! The few places where the two databases want different words.

/// The fragments of one database.
pub(super) struct Dialect {
    /// Ends a SELECT whose rows are to be locked until the end of the transaction, without standing
    /// in the way of rows that only refer to them. SQLite's writers hold the whole database anyway.
    pub(super) for_update: &'static str,
    /// The same, leaving out what others have locked.
    pub(super) skip_locked: &'static str,
    /// Ends a SELECT from `webhooks w` whose rows are not to be deleted until the end of the
    /// transaction.
    pub(super) keep_webhooks: &'static str,
    /// Notes the changes `$4` of the fingerprints and `$5` of the written keys of a destination, if its
    /// environment is there. A thousand keys are one parameter and one row, which is left as it is
    /// where nothing changes.
    pub(super) note_destination: &'static str,
    /// Locks the links of a query that are due, with their vaults, leaving out what others have.
    pub(super) lock_due_links: &'static str,
    /// Those of the links in the JSON list `$1` that have a job which has not ended.
    pub(super) busy_links: &'static str,
    /// Locks the link of a query.
    pub(super) lock_link: &'static str,
    /// Adds the background jobs in the JSON list `$1`, accepted at `$2`, to end by
    /// `$3` and rung for again at `$4`.
    pub(super) insert_link_jobs: &'static str,
    /// Moves the links in the JSON list `$1` on.
    pub(super) move_links_on: &'static str,
    /// The end of a lease that is claimed: `$4` where that is known, else `$6` seconds from now.
    pub(super) lease_until: &'static str,
    /// A condition that is always met; by being looked at, it lets the statement's commit not be waited
    /// for. SQLite is told at the beginning.
    pub(super) fleeting: &'static str,
    /// Records the plan `$3` of the job `$1` while its lease `$2` holds. The job's row is locked:
    /// whoever would take the job over waits until the plan is recorded.
    pub(super) record_plan: &'static str,
}

pub(super) const POSTGRES: Dialect = Dialect {
    for_update: "FOR NO KEY UPDATE",
    skip_locked: "FOR NO KEY UPDATE SKIP LOCKED",
    keep_webhooks: "FOR KEY SHARE OF w",
    note_destination: "INSERT INTO destinations
             (environment_id, project_key, slot, fingerprints, written, pushed_at, pulled_at,
              rollout_due)
         SELECT e.id, $2, $3, jsonb_strip_nulls($4), jsonb_strip_nulls($5), $6, $7, COALESCE($8, FALSE)
         FROM environments e WHERE e.id = $1 FOR KEY SHARE OF e
         ON CONFLICT (environment_id, project_key, slot) DO UPDATE SET
             fingerprints = CASE WHEN $4 = '{}' THEN destinations.fingerprints
                 ELSE jsonb_strip_nulls(destinations.fingerprints || $4) END,
             written = CASE WHEN $5 = '{}' THEN destinations.written
                 ELSE jsonb_strip_nulls(destinations.written || $5) END,
             pushed_at = COALESCE(excluded.pushed_at, destinations.pushed_at),
             pulled_at = COALESCE(excluded.pulled_at, destinations.pulled_at),
             rollout_due = COALESCE($8, destinations.rollout_due)",
    lock_due_links: "FOR NO KEY UPDATE OF l SKIP LOCKED FOR KEY SHARE OF v SKIP LOCKED",
    busy_links: "SELECT DISTINCT j.link_id FROM jobs j
         WHERE j.link_id IN (SELECT r.id::uuid FROM jsonb_array_elements_text($1) AS r (id))
             AND j.state IN ('queued', 'running', 'waiting')",
    lock_link: "FOR NO KEY UPDATE OF l",
    insert_link_jobs:
        "INSERT INTO jobs (id, kind, class, state, attempt, run, takeovers, user_id, vault_id,
             environment_id, connection_id, project_key, link_id, request, due_at, ring_at, rings,
             cancel_requested, progress_done, progress_total, provider_calls, rate_limited_ms,
             created_at, deadline_at, api_key_id)
         SELECT r.id, r.kind, 'background', 'queued', 0, 0, 0, r.user_id, r.vault_id,
             r.environment_id, r.connection_id, r.project_key, r.link_id, r.request, $2, $4, 0,
             FALSE, 0, 0, 0, 0, $2, $3, r.api_key_id
         FROM jsonb_to_recordset($1) AS r (id uuid, kind text, user_id uuid, vault_id uuid,
             environment_id uuid, connection_id uuid, project_key text, link_id uuid,
             request jsonb, api_key_id uuid)",
    move_links_on: "UPDATE links SET next_run_at = r.next_run_at, not_before = r.not_before,
             run_by = r.run_by
         FROM jsonb_to_recordset($1) AS r (id uuid, next_run_at timestamptz,
             not_before timestamptz, run_by timestamptz)
         WHERE links.id = r.id",
    lease_until: "COALESCE($4, CURRENT_TIMESTAMP + $6 * INTERVAL '1 second')",
    fleeting: "set_config('synchronous_commit', 'off', TRUE) = 'off'",
    record_plan: "INSERT INTO job_reports (job_id, planned)
         SELECT id, $3 FROM jobs WHERE id = $1 AND lease_id = $2 AND state = 'running'
         FOR NO KEY UPDATE
         ON CONFLICT (job_id) DO UPDATE SET planned = excluded.planned",
};

pub(super) const SQLITE: Dialect = Dialect {
    for_update: "",
    skip_locked: "",
    keep_webhooks: "",
    note_destination: "INSERT INTO destinations
             (environment_id, project_key, slot, fingerprints, written, pushed_at, pulled_at,
              rollout_due)
         SELECT e.id, $2, $3, json_patch('{}', $4), json_patch('{}', $5), $6, $7, COALESCE($8, FALSE)
         FROM environments e WHERE e.id = $1
         ON CONFLICT (environment_id, project_key, slot) DO UPDATE SET
             fingerprints = CASE WHEN $4 = '{}' THEN destinations.fingerprints
                 ELSE json_patch(destinations.fingerprints, $4) END,
             written = CASE WHEN $5 = '{}' THEN destinations.written
                 ELSE json_patch(destinations.written, $5) END,
             pushed_at = COALESCE(excluded.pushed_at, destinations.pushed_at),
             pulled_at = COALESCE(excluded.pulled_at, destinations.pulled_at),
             rollout_due = COALESCE($8, destinations.rollout_due)",
    lock_due_links: "",
    busy_links: "SELECT DISTINCT j.link_id FROM jobs j
         WHERE j.link_id IN (SELECT unhex(r.value) FROM json_each($1) AS r)
             AND j.state IN ('queued', 'running', 'waiting')",
    lock_link: "",
    insert_link_jobs:
        "INSERT INTO jobs (id, kind, class, state, attempt, run, takeovers, user_id, vault_id,
             environment_id, connection_id, project_key, link_id, request, due_at, ring_at, rings,
             cancel_requested, progress_done, progress_total, provider_calls, rate_limited_ms,
             created_at, deadline_at, api_key_id)
         SELECT unhex(r.value ->> 'id'), r.value ->> 'kind', 'background', 'queued', 0, 0, 0,
             unhex(r.value ->> 'user_id'), unhex(r.value ->> 'vault_id'),
             unhex(r.value ->> 'environment_id'), unhex(r.value ->> 'connection_id'),
             r.value ->> 'project_key', unhex(r.value ->> 'link_id'), r.value -> 'request', $2, $4,
             0, FALSE, 0, 0, 0, 0, $2, $3, unhex(r.value ->> 'api_key_id')
         FROM json_each($1) AS r",
    move_links_on: "UPDATE links SET next_run_at = r.value ->> 'next_run_at',
             not_before = r.value ->> 'not_before', run_by = r.value ->> 'run_by'
         FROM json_each($1) AS r
         WHERE links.id = unhex(r.value ->> 'id')",
    lease_until: "COALESCE($4, $6)",
    fleeting: "TRUE",
    record_plan: "INSERT INTO job_reports (job_id, planned)
         SELECT id, $3 FROM jobs WHERE id = $1 AND lease_id = $2 AND state = 'running'
         ON CONFLICT (job_id) DO UPDATE SET planned = excluded.planned",
};
