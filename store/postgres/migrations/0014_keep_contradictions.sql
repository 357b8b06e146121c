-- What two systems say differently of one document (model/contradiction.ts). id: SHA-256 of what it is about.
CREATE TABLE closewatch.contradictions (
  id text PRIMARY KEY,
  company text NOT NULL,
  key text NOT NULL,
  about text NOT NULL,
  said jsonb NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  resolved_at timestamptz
);
CREATE INDEX contradictions_open ON closewatch.contradictions (company, last_at) WHERE resolved_at IS NULL;
CREATE INDEX contradictions_key ON closewatch.contradictions (key) WHERE resolved_at IS NULL;
