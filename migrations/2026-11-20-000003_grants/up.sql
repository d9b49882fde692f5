CREATE TABLE session_clients (
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    client_key bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    subject    text NOT NULL,
    sid        text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, client_key)
);
CREATE INDEX session_clients_client ON session_clients (client_key);

CREATE TABLE consents (
    realm_id   bigint NOT NULL REFERENCES realms,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    client_key bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    scopes     text[] NOT NULL,
    claims     text[] NOT NULL DEFAULT '{}',
    resources  text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (realm_id, user_id, client_key)
);
CREATE INDEX consents_user ON consents (user_id);
CREATE INDEX consents_client ON consents (client_key);

CREATE TABLE grants (
    id                uuid PRIMARY KEY,
    realm_id          bigint NOT NULL REFERENCES realms,
    kind              text NOT NULL,
    parent_id         uuid REFERENCES grants ON DELETE CASCADE,
    actor             jsonb,
    client_key        bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    user_id           uuid REFERENCES users ON DELETE CASCADE,
    subject           text NOT NULL,
    session_id        uuid REFERENCES sessions ON DELETE SET NULL,
    sid               text,
    scopes            text[] NOT NULL,
    resources         text[] NOT NULL,
    claims            jsonb,
    details           jsonb,
    confirmation      jsonb,
    redirect_uri      text NOT NULL,
    redirect_uri_sent boolean NOT NULL,
    code_challenge    text,
    nonce             text,
    auth_time         timestamptz NOT NULL,
    acr               text NOT NULL,
    amr               text[] NOT NULL,
    offline           boolean NOT NULL,
    code_hash         bytea CHECK (octet_length(code_hash) = 32),
    code_expires_at   timestamptz,
    code_spent_at     timestamptz,
    access_until      timestamptz,
    created_at        timestamptz NOT NULL,
    -- When nothing it gave can be alive any more; swept a day later.
    ends_at           timestamptz NOT NULL,
    revoked_at        timestamptz
);
CREATE UNIQUE INDEX grants_code ON grants (realm_id, code_hash);
CREATE INDEX grants_session ON grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_user ON grants (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX grants_ends ON grants (ends_at);
CREATE INDEX grants_client ON grants (client_key);
CREATE INDEX grants_parent ON grants (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE refresh_tokens (
    realm_id    bigint NOT NULL REFERENCES realms,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    grant_id    uuid NOT NULL REFERENCES grants ON DELETE CASCADE,
    client_key  bigint NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    spent_at    timestamptz,
    successor   bytea CHECK (octet_length(successor) = 32),
    PRIMARY KEY (realm_id, hash),
    CHECK ((spent_at IS NULL) = (successor IS NULL))
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE interactions (
    realm_id   bigint NOT NULL REFERENCES realms,
    id         uuid NOT NULL,
    sealed     bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (realm_id, id)
);
CREATE INDEX interactions_expiry ON interactions (expires_at);

-- Identifiers that count once: interactions, client assertions, request objects. Dropped by partition.
CREATE TABLE spent (
    realm_id   bigint NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    scope      text COLLATE "C" NOT NULL,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    expires_on date NOT NULL,
    PRIMARY KEY (realm_id, kind, scope, hash, expires_on)
) PARTITION BY RANGE (expires_on);
CREATE TABLE spent_default PARTITION OF spent DEFAULT;
CREATE INDEX spent_expiry ON spent (expires_on);
