DELETE FROM clients WHERE auth_method = 'private_key_jwt';
DELETE FROM grants WHERE code_challenge_method <> 'S256' OR kind <> 'authorization_code';
ALTER TABLE grants DROP COLUMN code_challenge_method;
ALTER TABLE clients DROP CONSTRAINT clients_secret_check;
ALTER TABLE clients ADD CONSTRAINT clients_check2
    CHECK ((auth_method = 'none') = (secret_hash IS NULL AND secret_sealed IS NULL));
