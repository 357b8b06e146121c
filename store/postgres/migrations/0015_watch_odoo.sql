-- The Odoos that are watched, and what is known of their records.

-- One a database of Odoo. Credentials are sealed; `hook_hash`: SHA-256 of the secret in the address of its webhooks.
CREATE TABLE closewatch.odoo_sources (
  source text PRIMARY KEY,
  url text NOT NULL,
  database text,
  login text,
  sealed text NOT NULL,
  writer_login text,
  writer_sealed text,
  hook_hash text,
  pace jsonb,
  -- What was there before is history; of it, what was made since `history_from` is told.
  live_from timestamptz NOT NULL,
  history_from timestamptz NOT NULL,
  -- What was made in that Odoo, so that it can be taken away.
  installed jsonb NOT NULL DEFAULT '{}',
  -- How things stood at the last round.
  state jsonb NOT NULL DEFAULT '{}',
  -- Webhooks that came, at whichever collector.
  hook_requests bigint NOT NULL DEFAULT 0,
  last_hook_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL
);

-- How far each model was read, in the clock of that Odoo.
CREATE TABLE closewatch.odoo_cursors (
  source text NOT NULL REFERENCES closewatch.odoo_sources ON DELETE CASCADE,
  stream text NOT NULL,
  position jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, stream)
);

-- What was last seen of a record: by this its changes are told, and that it is gone.
CREATE TABLE closewatch.odoo_records (
  source text NOT NULL REFERENCES closewatch.odoo_sources ON DELETE CASCADE,
  model text NOT NULL,
  id bigint NOT NULL,
  written text NOT NULL,
  seen_at timestamptz NOT NULL,
  -- Records whose changes may mean that this one is gone: the entries that a reconciliation joins.
  parents bigint[],
  snapshot jsonb NOT NULL,
  PRIMARY KEY (source, model, id)
);
CREATE INDEX odoo_records_parents ON closewatch.odoo_records USING gin (parents) WHERE parents IS NOT NULL;

-- What webhooks told, until it is read back: `waiting`, then `seen`, or `phantom` when nothing came of it.
CREATE TABLE closewatch.odoo_hints (
  source text NOT NULL REFERENCES closewatch.odoo_sources ON DELETE CASCADE,
  model text NOT NULL,
  id bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  requests integer NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'seen', 'phantom')),
  due_at timestamptz NOT NULL,
  PRIMARY KEY (source, model, id)
);
CREATE INDEX odoo_hints_due ON closewatch.odoo_hints (source, due_at) WHERE state = 'waiting';
