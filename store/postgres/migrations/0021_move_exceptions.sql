-- What people asked to be moved from one incident to another, or into one of its own: grouping does it with its next run.
CREATE TABLE closewatch.incident_moves (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident text NOT NULL REFERENCES closewatch.incidents,
  -- NULL: all of them.
  exceptions text[],
  -- NULL: an incident of their own.
  target text REFERENCES closewatch.incidents,
  reason text NOT NULL,
  by text NOT NULL,
  at timestamptz NOT NULL,
  done_at timestamptz,
  outcome text
);
CREATE INDEX incident_moves_waiting ON closewatch.incident_moves (id) WHERE done_at IS NULL;

-- For a while nobody is told of an incident: never for ever, and never without a reason.
CREATE TABLE closewatch.silences (
  id text PRIMARY KEY,
  company text NOT NULL,
  -- NULL: every rule, every source of the company.
  rule text,
  source text,
  reason text NOT NULL CHECK (reason <> ''),
  by text NOT NULL,
  at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  ended_at timestamptz,
  CHECK (until > at AND until <= at + interval '31 days')
);
CREATE INDEX silences_living ON closewatch.silences (company, until) WHERE ended_at IS NULL;
