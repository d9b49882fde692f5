ALTER TABLE sign_in_links DROP COLUMN generation;
ALTER TABLE grants DROP COLUMN generation;
ALTER TABLE sessions DROP COLUMN generation;
