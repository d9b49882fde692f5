-- Tokens with which clients may register themselves (RFC 7591 §3), each for a number of times until a moment.
CREATE TABLE initial_access_tokens (
    realm_id   bigint NOT NULL REFERENCES realms,
    id         uuid NOT NULL,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    note       text NOT NULL,
    uses_left  integer NOT NULL CHECK (uses_left >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (realm_id, id),
    UNIQUE (realm_id, hash)
);
CREATE INDEX initial_access_tokens_expiry ON initial_access_tokens (expires_at);

-- Clients that registered themselves are counted, and go when nobody has used them for long.
CREATE INDEX clients_dynamic ON clients (realm_id, last_used_at) WHERE source = 'dynamic';
