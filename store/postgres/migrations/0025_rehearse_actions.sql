-- What a proposal would do, as the worker found when it tried without doing it.
ALTER TABLE closewatch.proposals ADD COLUMN rehearsal jsonb;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'closewatch_executor') THEN
    GRANT UPDATE (rehearsal) ON closewatch.proposals TO closewatch_executor;
  END IF;
END $$;
-- What nobody stands for may be rejected all the same.
ALTER TABLE closewatch.proposals DROP CONSTRAINT proposals_check;
ALTER TABLE closewatch.proposals ADD CONSTRAINT proposals_stood_for
  CHECK (origin = 'human' OR state IN ('proposed', 'rejected', 'expired') OR cardinality(editors) > 0);
