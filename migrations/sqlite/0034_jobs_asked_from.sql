-- From where a job was asked for: what its entry in the activity log tells once it has ended, with
-- its API key. Null for jobs that nobody asked for, and for those of before.

-- 'cli', 'web', 'api' or 'mcp'.
ALTER TABLE jobs ADD COLUMN asked_platform TEXT;
ALTER TABLE jobs ADD COLUMN asked_ip TEXT;
ALTER TABLE jobs ADD COLUMN asked_session_id BLOB;
ALTER TABLE jobs ADD COLUMN asked_request_id TEXT;
