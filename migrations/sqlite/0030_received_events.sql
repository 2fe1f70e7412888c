-- What providers tell by themselves: each event is acted on once.

CREATE TABLE received_events (
    provider    TEXT NOT NULL,
    -- The provider's own id of the event.
    event_id    TEXT NOT NULL,
    received_at TEXT NOT NULL,
    CONSTRAINT received_events_pkey PRIMARY KEY (provider, event_id)
);
CREATE INDEX received_events_received ON received_events (received_at);

-- Which connections an event about an installation is about.
CREATE INDEX connections_installation ON connections (installation_id) WHERE installation_id IS NOT NULL;
