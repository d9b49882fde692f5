DROP INDEX notices_xact;
ALTER TABLE notices DROP COLUMN xact;
