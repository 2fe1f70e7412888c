-- Entries of the activity log are added, and not changed; they are removed only when they are older
-- than a pruning says that goes on in the same transaction. Whoever owns the tables can take the
-- triggers away, and whoever can run statements can write a pruning: they stand against mistakes.

-- Empty but inside of a transaction that prunes.
CREATE TABLE activity_pruning (
    id         uuid        NOT NULL CONSTRAINT activity_pruning_pkey PRIMARY KEY,
    older_than timestamptz NOT NULL
);

CREATE FUNCTION activity_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM activity_pruning p WHERE OLD.at < p.older_than) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'entries of the activity log are kept as they are';
END $$;

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
    FOR EACH ROW EXECUTE FUNCTION activity_is_kept();
CREATE TRIGGER activity_is_not_removed BEFORE DELETE ON activity
    FOR EACH ROW EXECUTE FUNCTION activity_is_kept();
CREATE TRIGGER activity_is_not_emptied BEFORE TRUNCATE ON activity
    FOR EACH STATEMENT EXECUTE FUNCTION activity_is_kept();
