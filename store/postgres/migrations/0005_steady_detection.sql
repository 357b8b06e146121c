-- How long a source may say nothing: empty means one business day of its company, which no number of hours is.
ALTER TABLE closewatch.sources ALTER COLUMN silence_ms DROP NOT NULL;
ALTER TABLE closewatch.sources ALTER COLUMN silence_ms DROP DEFAULT;
UPDATE closewatch.sources SET silence_ms = NULL WHERE silence_ms = 86400000;

-- Whose turn it is to do what only one may do at a time, in whatever process. The token rises with every turn: a write
-- under an older one is refused, so that a process that was only slow and lost its turn changes nothing.
CREATE TABLE closewatch.turns (
  name text PRIMARY KEY,
  token bigint NOT NULL,
  held_until timestamptz NOT NULL
);

-- Events dated after the pass that met them, to be judged when their time has come.
CREATE TABLE closewatch.events_ahead (
  at_ns bigint NOT NULL,
  event text NOT NULL,
  PRIMARY KEY (at_ns, event)
);

-- What is decided is kept for some time only: its outcome is in ClickHouse, and its case tells it again.
CREATE INDEX obligations_decided ON closewatch.obligations (updated_at)
  WHERE state IN ('satisfied', 'voided', 'late');

-- Passes that found the same again are one row.
ALTER TABLE closewatch.control_runs ADD COLUMN passes integer NOT NULL DEFAULT 1;
CREATE INDEX control_runs_ended ON closewatch.control_runs (ended_at);
