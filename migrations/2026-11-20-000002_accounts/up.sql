CREATE TABLE users (
    id                    uuid PRIMARY KEY,
    realm_id              bigint NOT NULL REFERENCES realms,
    subject               text COLLATE "C" NOT NULL,
    username              text NOT NULL,
    username_folded       text COLLATE "C" NOT NULL,
    email                 text NOT NULL,
    email_folded          text COLLATE "C" NOT NULL,
    email_verified_at     timestamptz,
    password_hash         text,
    password_changed_at   timestamptz,
    state                 text NOT NULL CHECK (state IN ('active', 'locked', 'deactivated')),
    generation            bigint NOT NULL DEFAULT 0,
    name                  text,
    given_name            text,
    family_name           text,
    middle_name           text,
    nickname              text,
    profile               text,
    picture               text,
    website               text,
    gender                text,
    birthdate             text,
    zoneinfo              text,
    locale                text,
    phone_number          text,
    phone_verified_at     timestamptz,
    address               jsonb,
    metadata              jsonb NOT NULL DEFAULT '{}',
    groups                text[] NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    last_sign_in_at       timestamptz,
    UNIQUE (realm_id, subject),
    UNIQUE (realm_id, username_folded),
    UNIQUE (realm_id, email_folded)
);

CREATE TABLE roles (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm_id    bigint NOT NULL REFERENCES realms,
    name        text COLLATE "C" NOT NULL,
    built_in    boolean NOT NULL,
    permissions text[] NOT NULL,
    created_at  timestamptz NOT NULL,
    UNIQUE (realm_id, name)
);

CREATE TABLE role_parents (
    role_id   bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
    parent_id bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
    PRIMARY KEY (role_id, parent_id),
    CHECK (role_id <> parent_id)
);

CREATE TABLE user_roles (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role_id    bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_role ON user_roles (role_id);

CREATE TABLE sessions (
    id              uuid PRIMARY KEY,
    realm_id        bigint NOT NULL REFERENCES realms,
    handle_hash     bytea NOT NULL CHECK (octet_length(handle_hash) = 32),
    user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    state           text NOT NULL CHECK (state IN ('pending', 'full')),
    auth_time       timestamptz NOT NULL,
    acr             text NOT NULL,
    amr             text[] NOT NULL,
    user_agent      text,
    address         text,
    created_at      timestamptz NOT NULL,
    idle_expires_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    UNIQUE (realm_id, handle_hash)
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
