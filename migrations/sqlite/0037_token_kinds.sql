-- Which of the provider's kinds of token a connection has, where that was found out: it decides how it is
-- sent.
ALTER TABLE connections ADD COLUMN token_kind TEXT;
