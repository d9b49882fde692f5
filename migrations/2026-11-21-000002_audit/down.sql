DROP TABLE audit_anchors;
DROP TABLE audit_heads;
DROP INDEX audit_request;
DROP INDEX audit_object;
DROP INDEX audit_client;
DROP INDEX audit_actor;
DROP INDEX audit_newest;
DROP INDEX audit_unsealed;
ALTER TABLE audit DROP COLUMN encoding;
