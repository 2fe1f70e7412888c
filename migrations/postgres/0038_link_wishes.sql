-- What the owner of a link says is meant: values that refer to other variables at the provider.
ALTER TABLE links ADD COLUMN allow_references boolean NOT NULL DEFAULT false;
