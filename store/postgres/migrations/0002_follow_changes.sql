-- What makes incidents, assessments and messages follow changes: each step marks what it has seen, so that its cost is
-- that of what changed since, without a clock and without a gap when transactions overlap.

-- `facts` is what an incident counts of an exception; `seen` the facts that its incident has counted.
ALTER TABLE closewatch.exceptions ADD COLUMN facts text NOT NULL GENERATED ALWAYS AS (
  state || '|' || severity || '|' || coalesce(amount, '') || '|' || coalesce(currency, '') || '|' || reopened::text
) STORED;
ALTER TABLE closewatch.exceptions ADD COLUMN seen text;
CREATE INDEX exceptions_unseen ON closewatch.exceptions (opened_at, id)
  WHERE (notify OR incident IS NOT NULL) AND seen IS DISTINCT FROM facts;

-- `tally` counts the exceptions by severity and their money; the versions say what triage and the messages have seen.
ALTER TABLE closewatch.incidents ADD COLUMN tally jsonb NOT NULL DEFAULT '{}';
ALTER TABLE closewatch.incidents ADD COLUMN assessed_version integer NOT NULL DEFAULT 0;
ALTER TABLE closewatch.incidents ADD COLUMN routed_version integer NOT NULL DEFAULT 0;
CREATE INDEX incidents_unassessed ON closewatch.incidents (opened_at) WHERE assessed_version < version;
CREATE INDEX incidents_unrouted ON closewatch.incidents (opened_at) WHERE routed_version < version;
CREATE INDEX incidents_cause ON closewatch.incidents (company, cause_kind, cause_key, resolved_at);

-- What a new assessment is made for: a hash of what is material in the evidence.
ALTER TABLE closewatch.assessments ADD COLUMN material_hash text NOT NULL DEFAULT '';
CREATE INDEX assessments_awaiting_model ON closewatch.assessments (created_at) WHERE fallback_reason = 'pending';

-- A delivery takes a message until `next_attempt_at`; `posting_since` is set while it is unknown whether Slack has it.
ALTER TABLE closewatch.messages ADD COLUMN next_attempt_at timestamptz;
ALTER TABLE closewatch.messages ADD COLUMN posting_since timestamptz;
