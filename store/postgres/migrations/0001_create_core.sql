-- The core tables. Amounts are exact decimal text; instants are timestamptz, or, where nanoseconds count, bigint
-- nanoseconds since 1970-01-01T00:00:00Z (columns *_ns).

CREATE TABLE closewatch.ingest_tokens (
  id text PRIMARY KEY,
  name text NOT NULL,
  source text NOT NULL,
  token_hash text NOT NULL UNIQUE CHECK (token_hash ~ '^[0-9a-f]{64}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz
);

-- Numbers are taken under one advisory lock held to the commit (batches.ts): whoever has seen batch n has seen, or will
-- never see, every smaller one. A rolled-back transaction leaves a number unused.
CREATE TABLE closewatch.batches (
  batch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('inbox', 'import')),
  source text NOT NULL,
  rows integer NOT NULL DEFAULT 0 CHECK (rows >= 0),
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'stored')),
  accepted_at timestamptz NOT NULL DEFAULT now(),
  stored_at timestamptz
);
CREATE INDEX batches_pending ON closewatch.batches (batch) WHERE state = 'pending';

CREATE TABLE closewatch.inbox (
  source text NOT NULL,
  id text NOT NULL,
  body_hash text NOT NULL,
  body jsonb,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'stored', 'dead', 'replayed')),
  reason text,
  company text NOT NULL,
  type text NOT NULL,
  batch bigint REFERENCES closewatch.batches,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, id)
);
CREATE INDEX inbox_batch ON closewatch.inbox (batch);
CREATE INDEX inbox_bodies ON closewatch.inbox (received_at) WHERE body IS NOT NULL;

CREATE TABLE closewatch.dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  reason_code text NOT NULL,
  problems jsonb NOT NULL DEFAULT '[]',
  content_type text,
  event_id text,
  body text,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
  decided_by text,
  decided_at timestamptz,
  decided_reason text
);
CREATE INDEX dead_letters_open ON closewatch.dead_letters (source, id) WHERE state = 'open';

CREATE TABLE closewatch.import_runs (
  id text PRIMARY KEY,
  source text NOT NULL,
  file_name text NOT NULL,
  file_sha256 text NOT NULL,
  map_sha256 text NOT NULL,
  rows_read bigint NOT NULL DEFAULT 0,
  rows_stored bigint NOT NULL DEFAULT 0,
  rows_known bigint NOT NULL DEFAULT 0,
  rows_bad bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX import_runs_file ON closewatch.import_runs (source, file_sha256, map_sha256);

CREATE TABLE closewatch.sources (
  source text NOT NULL,
  company text NOT NULL,
  stream text NOT NULL DEFAULT '',
  kind text NOT NULL CHECK (kind IN ('polled', 'declared', 'imported', 'assumed')),
  complete_up_to_ns bigint,
  complete_without_limit boolean NOT NULL DEFAULT false,
  lateness_ms bigint NOT NULL DEFAULT 600000,
  silence_ms bigint NOT NULL DEFAULT 86400000,
  types text[] NOT NULL DEFAULT '{}',
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_event_ns bigint,
  last_arrival_at timestamptz,
  events bigint NOT NULL DEFAULT 0,
  errors bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, company, stream)
);
CREATE INDEX sources_company ON closewatch.sources (company);

-- id = sha256 of rule, company, source and subject, occurrence.
CREATE TABLE closewatch.obligations (
  id text PRIMARY KEY,
  rule text NOT NULL,
  rule_version integer NOT NULL,
  flow text NOT NULL,
  kind text NOT NULL,
  company text NOT NULL,
  source text NOT NULL,
  subject text NOT NULL,
  occurrence text NOT NULL,
  state text NOT NULL
    CHECK (state IN ('pending', 'satisfied', 'late', 'open', 'indeterminate', 'voided', 'waived', 'resolved')),
  anchor_event text NOT NULL,
  anchor_ns bigint NOT NULL,
  due_ns bigint NOT NULL,
  answered_ns bigint,
  amount text,
  currency text,
  severity text CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
  events text[] NOT NULL DEFAULT '{}',
  why text NOT NULL DEFAULT '',
  watermark_ns bigint,
  history boolean NOT NULL DEFAULT false,
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (rule, company, source, subject, occurrence)
);
CREATE INDEX obligations_due ON closewatch.obligations (due_ns) WHERE state IN ('pending', 'indeterminate');
CREATE INDEX obligations_open ON closewatch.obligations (due_ns) WHERE state IN ('open', 'indeterminate');
CREATE INDEX obligations_rule ON closewatch.obligations (rule, company, state);

CREATE TABLE closewatch.obligation_keys (
  join_key text NOT NULL,
  obligation text NOT NULL REFERENCES closewatch.obligations ON DELETE CASCADE,
  PRIMARY KEY (join_key, obligation)
);
CREATE INDEX obligation_keys_obligation ON closewatch.obligation_keys (obligation);

CREATE TABLE closewatch.incidents (
  id text PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  company text NOT NULL,
  cause_kind text NOT NULL,
  cause_key text NOT NULL,
  title text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
  opened_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  resolved_at timestamptz,
  resolved_by text,
  recurrence_of text REFERENCES closewatch.incidents,
  exceptions integer NOT NULL DEFAULT 0,
  open_exceptions integer NOT NULL DEFAULT 0,
  sums jsonb NOT NULL DEFAULT '[]',
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1
);
-- One living incident a cause and company; a resolved one never absorbs more.
CREATE UNIQUE INDEX incidents_living ON closewatch.incidents (company, cause_kind, cause_key) WHERE state <> 'resolved';
CREATE INDEX incidents_list ON closewatch.incidents (opened_at DESC, id);

-- id = the obligation's. The obligation itself may be gone: outcomes are kept in ClickHouse.
CREATE TABLE closewatch.exceptions (
  id text PRIMARY KEY,
  obligation text NOT NULL,
  rule text NOT NULL,
  rule_version integer NOT NULL,
  flow text NOT NULL,
  kind text NOT NULL,
  company text NOT NULL,
  source text NOT NULL,
  subject text NOT NULL,
  occurrence text NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'indeterminate', 'late', 'voided', 'waived', 'resolved')),
  severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
  close_impact text NOT NULL CHECK (close_impact IN ('none', 'warning', 'blocker')),
  amount text,
  currency text,
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  due_ns bigint NOT NULL,
  anchor_ns bigint NOT NULL,
  answered_ns bigint,
  reopened integer NOT NULL DEFAULT 0,
  incident text REFERENCES closewatch.incidents,
  why text NOT NULL,
  events text[] NOT NULL DEFAULT '{}',
  trace_ids text[] NOT NULL DEFAULT '{}',
  error_signature text,
  inhibited_by text,
  notify boolean NOT NULL DEFAULT true,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (id = obligation)
);
CREATE INDEX exceptions_incident ON closewatch.exceptions (incident);
CREATE INDEX exceptions_company ON closewatch.exceptions (company, state);
CREATE INDEX exceptions_list ON closewatch.exceptions (opened_at DESC, id);
CREATE INDEX exceptions_ungrouped ON closewatch.exceptions (opened_at) WHERE incident IS NULL AND state = 'open';

CREATE TABLE closewatch.assessments (
  id text PRIMARY KEY,
  incident text NOT NULL REFERENCES closewatch.incidents,
  version integer NOT NULL,
  author text NOT NULL CHECK (author IN ('rules', 'model')),
  category text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')),
  summary text NOT NULL,
  probable_cause text NOT NULL,
  next_step text NOT NULL,
  confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  claims jsonb NOT NULL DEFAULT '[]',
  proposed_actions jsonb NOT NULL DEFAULT '[]',
  evidence jsonb NOT NULL DEFAULT '[]',
  evidence_hash text NOT NULL,
  prompt_id text,
  prompt_hash text,
  schema_hash text,
  model text,
  input_hash text,
  output_hash text,
  tokens_in integer,
  tokens_out integer,
  fallback_reason text,
  verdicts jsonb NOT NULL DEFAULT '[]',
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (incident, version)
);

CREATE TABLE closewatch.messages (
  id text PRIMARY KEY,
  incident text REFERENCES closewatch.incidents,
  channel text NOT NULL,
  kind text NOT NULL,
  blocks jsonb NOT NULL DEFAULT '[]',
  text text NOT NULL,
  content_hash text NOT NULL,
  ts text,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed', 'outbox')),
  attempts integer NOT NULL DEFAULT 0,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (incident, channel, kind)
);
CREATE INDEX messages_state ON closewatch.messages (state, updated_at);

-- A model can hold no grant.
CREATE TABLE closewatch.principals (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('human', 'service', 'model')),
  name text NOT NULL,
  roles text[] NOT NULL DEFAULT '{}',
  companies text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz,
  CHECK (kind <> 'model' OR (roles = '{}' AND companies = '{}'))
);

CREATE TABLE closewatch.identities (
  provider text NOT NULL,
  external_id text NOT NULL,
  principal text NOT NULL REFERENCES closewatch.principals,
  verified boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (provider, external_id)
);
CREATE INDEX identities_principal ON closewatch.identities (principal);

CREATE TABLE closewatch.cursors (
  name text PRIMARY KEY,
  position bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE closewatch.control_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pass text NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  from_batch bigint NOT NULL,
  to_batch bigint NOT NULL,
  events bigint NOT NULL,
  obligations_touched bigint NOT NULL,
  opened integer NOT NULL,
  closed integer NOT NULL,
  as_of_ns bigint NOT NULL,
  rules jsonb NOT NULL DEFAULT '[]'
);

-- What dashboards need of this database: written with the change itself, copied to ClickHouse, then marked shipped.
CREATE TABLE closewatch.change_log (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  entity text NOT NULL,
  entity_id text NOT NULL,
  company text NOT NULL,
  change text NOT NULL,
  rule text,
  state text,
  severity text,
  amount text,
  currency text,
  actor text,
  data jsonb NOT NULL DEFAULT '{}',
  shipped boolean NOT NULL DEFAULT false
);
CREATE INDEX change_log_unshipped ON closewatch.change_log (seq) WHERE NOT shipped;

CREATE TABLE closewatch.settings (
  name text PRIMARY KEY,
  value jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
