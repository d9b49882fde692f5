-- The chain of the audit log: its end, the places where archiving cut it, and the indexes that its questions need.
ALTER TABLE audit ADD COLUMN encoding smallint;
CREATE INDEX audit_unsealed ON audit (realm_id, at, id) WHERE chain_index IS NULL;
CREATE INDEX audit_newest ON audit (realm_id, at DESC, id DESC);
CREATE INDEX audit_actor ON audit (actor_user, at) WHERE actor_user IS NOT NULL;
CREATE INDEX audit_client ON audit (client_key, at) WHERE client_key IS NOT NULL;
CREATE INDEX audit_object ON audit (object, at) WHERE object IS NOT NULL;
CREATE INDEX audit_request ON audit (request_id) WHERE request_id IS NOT NULL;

CREATE TABLE audit_heads (
    realm_id        bigint PRIMARY KEY REFERENCES realms,
    chain_index     bigint NOT NULL,
    chain_hash      bytea NOT NULL,
    sealed_at       timestamptz NOT NULL,
    archiving_until timestamptz
);

-- Rows up to chain_index are in a file; the chain of what is left starts after it.
CREATE TABLE audit_anchors (
    realm_id    bigint NOT NULL REFERENCES realms,
    first_index bigint NOT NULL,
    chain_index bigint NOT NULL,
    chain_hash  bytea NOT NULL,
    archived_at timestamptz NOT NULL,
    file        text NOT NULL,
    row_count   bigint NOT NULL,
    digest      bytea NOT NULL,
    purged_at   timestamptz,
    PRIMARY KEY (realm_id, first_index),
    UNIQUE (realm_id, chain_index)
);
