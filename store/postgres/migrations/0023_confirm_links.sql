-- Who linked an account, and who confirmed it: whose documents are whose decides who may approve, so it takes two people.
ALTER TABLE closewatch.identities ADD COLUMN linked_by text;
ALTER TABLE closewatch.identities ADD COLUMN confirmed_by text;
ALTER TABLE closewatch.identities ADD CHECK (confirmed_by IS NULL OR (confirmed_by <> principal AND confirmed_by IS DISTINCT FROM linked_by));
