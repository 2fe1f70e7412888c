-- Tokens that end, and what gives the next one.

-- Raised with each new token.
ALTER TABLE connections ADD COLUMN token_version bigint NOT NULL DEFAULT 0;
-- When the token ends by itself.
ALTER TABLE connections ADD COLUMN token_expires_at timestamptz;
-- AES-256-GCM, bound to this row: gives the next token, once. Both or none.
ALTER TABLE connections ADD COLUMN refresh_ciphertext bytea;
ALTER TABLE connections ADD COLUMN refresh_key_id text;
-- The token before, sealed as that was, until the one that a renewal gave has worked. Both or none.
ALTER TABLE connections ADD COLUMN previous_ciphertext bytea;
ALTER TABLE connections ADD COLUMN previous_key_id text;
ALTER TABLE connections ADD COLUMN previous_expires_at timestamptz;
-- Who renews, and until when it is waited for. When that is over and this still stands, nobody knows
-- whether the refresh token was used. Both or none.
ALTER TABLE connections ADD COLUMN renewal_id uuid;
ALTER TABLE connections ADD COLUMN renewing_until timestamptz;
-- Why it has to be made again: 'refused', 'removed', 'renewal-refused' or 'renewal-lost'.
ALTER TABLE connections ADD COLUMN status_reason text;
