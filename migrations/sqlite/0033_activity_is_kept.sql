-- Entries of the activity log are added, and not changed; they are removed only when they are older
-- than a pruning says that goes on in the same transaction. Whoever has the file can take the
-- triggers away, and whoever can run statements can write a pruning: they stand against mistakes.

-- Empty but inside of a transaction that prunes.
CREATE TABLE activity_pruning (
    id         BLOB NOT NULL CONSTRAINT activity_pruning_pkey PRIMARY KEY,
    older_than TEXT NOT NULL
);

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
BEGIN
    SELECT RAISE(ABORT, 'entries of the activity log are kept as they are');
END;
CREATE TRIGGER activity_is_not_removed BEFORE DELETE ON activity
WHEN NOT EXISTS (SELECT 1 FROM activity_pruning p WHERE OLD.at < p.older_than)
BEGIN
    SELECT RAISE(ABORT, 'entries of the activity log are kept as they are');
END;
-- INSERT OR REPLACE removes the row that stands in its way without asking the trigger above.
CREATE TRIGGER activity_is_not_replaced BEFORE INSERT ON activity
WHEN EXISTS (SELECT 1 FROM activity a WHERE a.id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'entries of the activity log are kept as they are');
END;
