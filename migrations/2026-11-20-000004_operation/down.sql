DROP TABLE audit_personal;
DROP TABLE audit;
DROP TABLE notices;
DROP TABLE derivation_keys;
DROP TABLE signing_keys;
