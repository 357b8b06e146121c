-- What the worker that carries out needs to take accepted events through again: it numbers a batch, marks the events, and settles the
-- dead letters that said they were stuck.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'closewatch_executor') THEN
    GRANT SELECT ON closewatch.inbox, closewatch.batches, closewatch.dead_letters TO closewatch_executor;
    GRANT INSERT ON closewatch.batches TO closewatch_executor;
    GRANT UPDATE (replay_batch, state, reason) ON closewatch.inbox TO closewatch_executor;
    GRANT UPDATE (state, decided_by, decided_at, decided_reason, tried, tried_at) ON closewatch.dead_letters TO closewatch_executor;
  END IF;
END $$;
