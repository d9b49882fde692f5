-- What administration needs: who acted through what, on what; roles with words; roles of clients (R-49).
ALTER TABLE audit DROP CONSTRAINT audit_actor_kind_check;
ALTER TABLE audit ADD CONSTRAINT audit_actor_kind_check
    CHECK (actor_kind IN ('user', 'client', 'operator', 'system', 'anonymous'));
ALTER TABLE audit ADD COLUMN actor_client bigint;
ALTER TABLE audit ADD COLUMN object text;

ALTER TABLE roles ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN updated_at timestamptz;

CREATE TABLE client_roles (
    client_key bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    role_id    bigint NOT NULL REFERENCES roles ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_key, role_id)
);
CREATE INDEX client_roles_role ON client_roles (role_id);
