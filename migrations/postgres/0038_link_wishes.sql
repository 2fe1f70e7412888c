-- What the owner of a link says is meant: values that refer to other variables at the provider, and putting
-- into effect what is written, where that is a step of its own.
ALTER TABLE links ADD COLUMN allow_references boolean NOT NULL DEFAULT false;
ALTER TABLE links ADD COLUMN rollout boolean NOT NULL DEFAULT false;

-- Something was written there that was to be put into effect, and is not everywhere.
ALTER TABLE destinations ADD COLUMN rollout_due boolean NOT NULL DEFAULT false;
