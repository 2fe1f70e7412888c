-- What a provider said no to: written only then, and read only by whoever finds the gates empty.

CREATE TABLE closed_gates (
    -- provider|origin|id of the user or team there
    account      text        NOT NULL,
    -- The calls it is for.
    family       text        NOT NULL,
    closed_until timestamptz NOT NULL,
    -- Calls in a window, if the provider told.
    total        bigint,
    CONSTRAINT closed_gates_pkey PRIMARY KEY (account, family)
);
CREATE INDEX closed_gates_until ON closed_gates (closed_until);
