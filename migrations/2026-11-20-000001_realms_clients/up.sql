CREATE TABLE realms (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL
);

CREATE TABLE clients (
    id                        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm_id                  bigint NOT NULL REFERENCES realms,
    client_id                 text COLLATE "C" NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2048),
    name                      text NOT NULL,
    source                    text NOT NULL CHECK (source IN ('admin', 'dynamic', 'document')),
    fetched_at                timestamptz CHECK ((source = 'document') = (fetched_at IS NOT NULL)),
    auth_method               text NOT NULL,
    secret_hash               bytea CHECK (octet_length(secret_hash) = 32),
    secret_sealed             bytea,
    redirect_uris             text[] NOT NULL,
    post_logout_redirect_uris text[] NOT NULL,
    grant_types               text[] NOT NULL,
    response_types            text[] NOT NULL,
    scopes                    text[] NOT NULL,
    first_party               boolean NOT NULL,
    application_type          text NOT NULL CHECK (application_type IN ('web', 'native')),
    default_audience          text,
    policy                    jsonb NOT NULL,
    metadata                  jsonb NOT NULL DEFAULT '{}',
    registration_token_hash   bytea,
    generation                bigint NOT NULL DEFAULT 0,
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    last_used_at              timestamptz,
    disabled_at               timestamptz,
    UNIQUE (realm_id, client_id),
    CHECK (secret_hash IS NULL OR secret_sealed IS NULL),
    CHECK ((auth_method = 'none') = (secret_hash IS NULL AND secret_sealed IS NULL))
);

CREATE TABLE resources (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm_id                bigint NOT NULL REFERENCES realms,
    identifier              text COLLATE "C" NOT NULL CHECK (octet_length(identifier) BETWEEN 1 AND 2048),
    name                    text NOT NULL,
    scopes                  jsonb NOT NULL,
    access_token_seconds    integer CHECK (access_token_seconds BETWEEN 60 AND 3600),
    access_token_alg        text,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    UNIQUE (realm_id, identifier)
);
