-- A reference is checked for each row, and a push writes two rows for each key: half of what the
-- database did for it. The writes check once for a statement that the environment is there, and what
-- deletes an environment deletes these rows.

ALTER TABLE fingerprints DROP CONSTRAINT fingerprints_environment_id_fkey;
ALTER TABLE written_keys DROP CONSTRAINT written_keys_environment_id_fkey;
