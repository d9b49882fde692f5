ALTER TABLE realms DROP COLUMN audit_begun;
