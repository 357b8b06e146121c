-- Who decided what: one chain, to which rows are only ever added. `body` is canonical JSON (RFC 8785), `body_hash` its SHA-256 and
-- `hash` that of the hash before and of `body_hash`. The columns by which rows are searched repeat what the body says.
CREATE TABLE closewatch.audit (
  seq bigint PRIMARY KEY,
  body text NOT NULL,
  body_hash text NOT NULL,
  hash text NOT NULL UNIQUE,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  entity text NOT NULL,
  entity_id text NOT NULL,
  company text NOT NULL
);
CREATE INDEX audit_entity ON closewatch.audit (entity, entity_id, seq);
CREATE INDEX audit_at ON closewatch.audit (at, seq);

CREATE FUNCTION closewatch.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are neither changed nor removed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE ON closewatch.audit
  FOR EACH ROW EXECUTE FUNCTION closewatch.refuse_change();
CREATE TRIGGER audit_stays BEFORE TRUNCATE ON closewatch.audit
  FOR EACH STATEMENT EXECUTE FUNCTION closewatch.refuse_change();
