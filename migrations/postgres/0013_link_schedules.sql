-- Links that sync by themselves: what their owners ask for, and what is known of their runs.

-- Which keys take part; null: all.
ALTER TABLE links ADD COLUMN include jsonb;
ALTER TABLE links ADD COLUMN exclude jsonb;
ALTER TABLE links ADD COLUMN prefix text;
-- 'off', 'on-change' or 'interval'.
ALTER TABLE links ADD COLUMN auto_mode text NOT NULL DEFAULT 'off';
-- One of the two for 'interval', as it was given.
ALTER TABLE links ADD COLUMN auto_every text;
ALTER TABLE links ADD COLUMN auto_cron text;
ALTER TABLE links ADD COLUMN auto_time_zone text;
-- 'write' or 'report'.
ALTER TABLE links ADD COLUMN auto_action text NOT NULL DEFAULT 'write';
-- The next run, or look at whether one is due; null: none.
ALTER TABLE links ADD COLUMN next_run_at timestamptz;
-- No run before, whatever changes: after a start and after a failure.
ALTER TABLE links ADD COLUMN not_before timestamptz;
-- A change waits for a run, which is to begin by then.
ALTER TABLE links ADD COLUMN run_by timestamptz;
-- The environment's revision that the last full success of this link was about.
ALTER TABLE links ADD COLUMN synced_revision bigint;
-- When every value that can be read was last read.
ALTER TABLE links ADD COLUMN verified_at timestamptz;
-- Since then a worker without a lease may have written to the destination.
ALTER TABLE links ADD COLUMN suspect_at timestamptz;
-- Runs in a row that were no full success.
ALTER TABLE links ADD COLUMN failures bigint NOT NULL DEFAULT 0;
-- Both or neither.
ALTER TABLE links ADD COLUMN paused_at timestamptz;
ALTER TABLE links ADD COLUMN paused_reason text;
-- How the last run ended: all but the error or none.
ALTER TABLE links ADD COLUMN last_job_id uuid;
ALTER TABLE links ADD COLUMN last_run_at timestamptz;
ALTER TABLE links ADD COLUMN last_state text;
ALTER TABLE links ADD COLUMN last_error_code text;
-- When a run that only looks last found a difference, and the keys until they are synced.
ALTER TABLE links ADD COLUMN last_drift_at timestamptz;
ALTER TABLE links ADD COLUMN drifted_keys jsonb;
-- What the scheduler claims: its cost goes with what is due, not with what there is.
CREATE INDEX links_due ON links (next_run_at) WHERE next_run_at IS NOT NULL;
-- What a change of an environment makes due.
CREATE INDEX links_on_change ON links (environment_id) WHERE auto_mode = 'on-change';

-- The link whose run it is. No foreign key: a job's history outlives its link.
ALTER TABLE jobs ADD COLUMN link_id uuid;
-- Whether a run of a link has not ended.
CREATE INDEX jobs_link ON jobs (link_id) WHERE state IN ('queued', 'running', 'waiting');
