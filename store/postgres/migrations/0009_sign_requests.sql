-- Secrets with which senders sign their requests (Standard Webhooks). They must be had to check a signature: `sealed` is the
-- secret under AES-256-GCM, whose key is not in this database. One that was rotated holds until it expires.
CREATE TABLE closewatch.signing_secrets (
  id text PRIMARY KEY,
  source text NOT NULL,
  sealed text NOT NULL,
  -- The signature alone lets a request in; else it needs its ingest token too.
  alone boolean NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX signing_secrets_source ON closewatch.signing_secrets (source) WHERE revoked_at IS NULL;
