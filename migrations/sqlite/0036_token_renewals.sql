-- Tokens that end, and what gives the next one.

-- Raised with each new token.
ALTER TABLE connections ADD COLUMN token_version INTEGER NOT NULL DEFAULT 0;
-- When the token ends by itself.
ALTER TABLE connections ADD COLUMN token_expires_at TEXT;
-- AES-256-GCM, bound to this row: gives the next token, once. Both or none.
ALTER TABLE connections ADD COLUMN refresh_ciphertext BLOB;
ALTER TABLE connections ADD COLUMN refresh_key_id TEXT;
-- The token before, sealed as that was, until the one that a renewal gave has worked. Both or none.
ALTER TABLE connections ADD COLUMN previous_ciphertext BLOB;
ALTER TABLE connections ADD COLUMN previous_key_id TEXT;
ALTER TABLE connections ADD COLUMN previous_expires_at TEXT;
-- Who renews, and until when it is waited for. When that is over and this still stands, nobody knows
-- whether the refresh token was used. Both or none.
ALTER TABLE connections ADD COLUMN renewal_id BLOB;
ALTER TABLE connections ADD COLUMN renewing_until TEXT;
-- Why it has to be made again: 'refused', 'removed', 'renewal-refused' or 'renewal-lost'.
ALTER TABLE connections ADD COLUMN status_reason TEXT;
