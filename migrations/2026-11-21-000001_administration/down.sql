DROP TABLE client_roles;
ALTER TABLE roles DROP COLUMN updated_at;
ALTER TABLE roles DROP COLUMN description;
ALTER TABLE audit DROP COLUMN object;
ALTER TABLE audit DROP COLUMN actor_client;
UPDATE audit SET actor_kind = 'anonymous' WHERE actor_kind = 'system';
ALTER TABLE audit DROP CONSTRAINT audit_actor_kind_check;
ALTER TABLE audit ADD CONSTRAINT audit_actor_kind_check
    CHECK (actor_kind IN ('user', 'client', 'operator', 'anonymous'));
