DROP INDEX clients_dynamic;
DROP TABLE initial_access_tokens;
