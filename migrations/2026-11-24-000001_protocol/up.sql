-- Clients that authenticate with a key have no secret. Challenges may be plain.
ALTER TABLE clients DROP CONSTRAINT clients_check2;
ALTER TABLE clients ADD CONSTRAINT clients_secret_check
    CHECK ((auth_method IN ('none', 'private_key_jwt')) = (secret_hash IS NULL AND secret_sealed IS NULL));

ALTER TABLE grants ADD COLUMN code_challenge_method text NOT NULL DEFAULT 'S256';
