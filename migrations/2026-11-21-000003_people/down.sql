DROP TABLE sign_in_links;
ALTER TABLE users DROP COLUMN ends_before;
ALTER TABLE users DROP COLUMN state_changed_at;
ALTER TABLE users DROP COLUMN state_reason;
