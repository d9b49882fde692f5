-- The transaction that wrote a notice. A reader keeps the oldest transaction that was under way when it last read, and
-- asks for all from there on: rows that commit late are found whatever their order and whatever the nodes' clocks say.
ALTER TABLE notices ADD COLUMN xact bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint);
CREATE INDEX notices_xact ON notices (xact);
