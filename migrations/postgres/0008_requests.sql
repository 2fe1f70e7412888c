-- Jobs are asked for again (run once more), by several at once (joined), and stopped.

-- The finished job that this one runs again. No foreign key: histories end at different times.
ALTER TABLE jobs ADD COLUMN retry_of uuid;
-- A hash of all that makes two syncs equal; null for jobs that nobody joins.
ALTER TABLE jobs ADD COLUMN join_key text;
-- A signal goes to every process that listens: nobody's name is needed.
ALTER TABLE jobs DROP COLUMN reply_to;
-- What has been run once is out of it for good, so that a job which goes back to the queue meets no
-- other here.
CREATE UNIQUE INDEX jobs_joinable ON jobs (join_key) WHERE state = 'queued' AND run = 0;

CREATE TABLE job_requesters (
    -- Requests that joined a job, beside the one that made it.
    id        uuid        NOT NULL CONSTRAINT job_requesters_pkey PRIMARY KEY,
    job_id    uuid        NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id   uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at timestamptz NOT NULL
);
CREATE INDEX job_requesters_job ON job_requesters (job_id);
CREATE INDEX job_requesters_user ON job_requesters (user_id);
