-- What a browser that cannot send a header shows to begin a connect: once, and not for long.
CREATE TABLE authorize_tickets (
    -- SHA-256 of the ticket.
    ticket_hash BLOB        NOT NULL CONSTRAINT authorize_tickets_pkey PRIMARY KEY,
    user_id     BLOB        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider    TEXT        NOT NULL,
    expires_at  TEXT        NOT NULL
);
CREATE INDEX authorize_tickets_expiry ON authorize_tickets (expires_at);
