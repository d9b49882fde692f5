-- Why an account is locked, since when; and the moment before which every sign-in is over, whatever hangs on it.
ALTER TABLE users ADD COLUMN state_reason text;
ALTER TABLE users ADD COLUMN state_changed_at timestamptz;
ALTER TABLE users ADD COLUMN ends_before timestamptz;

-- Links that sign somebody in once, made by an operator.
CREATE TABLE sign_in_links (
    realm_id   bigint NOT NULL REFERENCES realms,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz,
    PRIMARY KEY (realm_id, hash)
);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);
