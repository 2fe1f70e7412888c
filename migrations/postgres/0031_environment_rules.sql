-- Who may use an environment, and with which keys jobs and links came about.

-- The least role that sees the environment's values: 'read', 'write' or 'admin'.
ALTER TABLE environments ADD COLUMN read_role text NOT NULL DEFAULT 'read';
-- The least role that changes them: 'write' or 'admin', and no less than the other.
ALTER TABLE environments ADD COLUMN write_role text NOT NULL DEFAULT 'write';

-- The API key that the job was asked for with, or that its link was saved with; null for other
-- credentials. No foreign key: a job's history outlives it.
ALTER TABLE jobs ADD COLUMN api_key_id uuid;
-- The API key that the link was last saved or changed with; null for other credentials.
ALTER TABLE links ADD COLUMN api_key_id uuid;
