CREATE TABLE signing_keys (
    realm_id     bigint NOT NULL REFERENCES realms,
    kid          text COLLATE "C" NOT NULL,
    alg          text NOT NULL,
    state        text NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'retired')),
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (realm_id, kid)
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (realm_id, alg) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (realm_id, alg) WHERE state = 'next';

CREATE TABLE derivation_keys (
    realm_id   bigint NOT NULL REFERENCES realms,
    purpose    text COLLATE "C" NOT NULL,
    version    integer NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (realm_id, purpose, version)
);

CREATE TABLE notices (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm_id   bigint NOT NULL REFERENCES realms,
    version    smallint NOT NULL,
    kind       text NOT NULL,
    key        text NOT NULL,
    generation bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX notices_expiry ON notices (expires_at);
CREATE INDEX notices_created ON notices (created_at);

CREATE TABLE audit (
    id           uuid PRIMARY KEY,
    realm_id     bigint NOT NULL REFERENCES realms,
    at           timestamptz NOT NULL,
    event        text NOT NULL,
    result       text NOT NULL CHECK (result IN ('success', 'refused')),
    actor_kind   text NOT NULL CHECK (actor_kind IN ('user', 'client', 'operator', 'anonymous')),
    actor_user   uuid,
    subject_user uuid,
    client_key   bigint,
    session_id   uuid,
    grant_id     uuid,
    request_id   text,
    detail       text,
    commitment   bytea,
    chain_index  bigint,
    chain_hash   bytea,
    UNIQUE (realm_id, chain_index)
);
CREATE INDEX audit_at ON audit (realm_id, at);
CREATE INDEX audit_subject ON audit (subject_user, at) WHERE subject_user IS NOT NULL;

-- What can be erased: the audit row and its chain stay.
CREATE TABLE audit_personal (
    audit_id   uuid PRIMARY KEY REFERENCES audit ON DELETE CASCADE,
    salt       bytea NOT NULL,
    address    text,
    user_agent text,
    typed      text,
    operator   text
);
