-- What a browser that cannot send a header shows to begin a connect: once, and not for long.
CREATE TABLE authorize_tickets (
    -- SHA-256 of the ticket.
    ticket_hash bytea       NOT NULL CONSTRAINT authorize_tickets_pkey PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider    text        NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX authorize_tickets_expiry ON authorize_tickets (expires_at);
