-- What was given under which generation of its account; without one, `users.ends_before` tells.
ALTER TABLE sessions ADD COLUMN generation bigint;
ALTER TABLE grants ADD COLUMN generation bigint;
ALTER TABLE sign_in_links ADD COLUMN generation bigint;
