-- That the chain of the audit log has begun is also known outside of the audit tables: emptying them is seen.
ALTER TABLE realms ADD COLUMN audit_begun timestamptz;
UPDATE realms SET audit_begun = now()
    WHERE EXISTS (SELECT 1 FROM audit_heads WHERE realm_id = realms.id)
    OR EXISTS (SELECT 1 FROM audit_anchors WHERE realm_id = realms.id)
    OR EXISTS (SELECT 1 FROM audit WHERE realm_id = realms.id AND chain_index IS NOT NULL);
