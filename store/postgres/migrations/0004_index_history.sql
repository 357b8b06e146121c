-- What reading costs follows what is asked for, not the history.

-- What became of one incident.
CREATE INDEX change_log_entity ON closewatch.change_log (entity, entity_id, seq);
-- What may go: history that ClickHouse has, of what nobody looks back on here.
CREATE INDEX change_log_trimmable ON closewatch.change_log (at)
  WHERE shipped AND entity IN ('obligation', 'exception', 'readiness', 'watermark');
-- What is wrong with one document.
CREATE INDEX exceptions_document ON closewatch.exceptions (company, source, subject);

-- The worst first: what is open, and of equals the gravest.
ALTER TABLE closewatch.exceptions ADD COLUMN rank integer NOT NULL GENERATED ALWAYS AS (
  CASE WHEN state IN ('open', 'indeterminate') THEN 10 ELSE 0 END
    + array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], severity)
) STORED;
CREATE INDEX exceptions_worst ON closewatch.exceptions (rank DESC, opened_at DESC, id DESC);
ALTER TABLE closewatch.incidents ADD COLUMN rank integer NOT NULL GENERATED ALWAYS AS (
  CASE WHEN state IN ('open', 'acknowledged') THEN 10 ELSE 0 END
    + array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], severity)
) STORED;
CREATE INDEX incidents_worst ON closewatch.incidents (rank DESC, number DESC);

-- The company that a refused event names, as far as it could be read.
ALTER TABLE closewatch.dead_letters ADD COLUMN IF NOT EXISTS company text;
CREATE INDEX dead_letters_received ON closewatch.dead_letters (received_at) WHERE state = 'open';
CREATE INDEX dead_letters_settled ON closewatch.dead_letters (coalesce(decided_at, received_at))
  WHERE state <> 'open';

-- The last snapshot of what is copied to ClickHouse when it changes and is no row of its own: readiness, watermarks.
CREATE TABLE closewatch.snapshots (
  entity text NOT NULL,
  entity_id text NOT NULL,
  facts jsonb NOT NULL,
  taken_at timestamptz NOT NULL,
  PRIMARY KEY (entity, entity_id)
);
