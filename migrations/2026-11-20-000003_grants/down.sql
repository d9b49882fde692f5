DROP TABLE spent;
DROP TABLE interactions;
DROP TABLE refresh_tokens;
DROP TABLE grants;
DROP TABLE consents;
DROP TABLE session_clients;
