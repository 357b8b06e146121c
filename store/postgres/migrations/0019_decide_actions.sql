-- Proposals of actions, and the approvals of second persons. What the program decides (model/proposal.ts) the database holds to as well:
-- an approver is a person, made neither the proposal nor a document of its case, and agreed to exactly what it is now.
ALTER TABLE closewatch.principals ADD UNIQUE (id, kind);

CREATE TABLE closewatch.proposals (
  id text PRIMARY KEY,
  incident text NOT NULL REFERENCES closewatch.incidents,
  company text NOT NULL,
  action text NOT NULL,
  parameters jsonb NOT NULL,
  reason text NOT NULL,
  evidence integer[] NOT NULL DEFAULT '{}',
  -- Absolute, in company currency; NULL when it is not known.
  amount text,
  band text NOT NULL CHECK (band IN ('below', 'trivial', 'performance', 'overall')),
  origin text NOT NULL CHECK (origin IN ('rules', 'model', 'human')),
  assessment text REFERENCES closewatch.assessments,
  -- People who wrote, changed or adopted it, the last one last.
  editors text[] NOT NULL DEFAULT '{}',
  -- Who made the documents of the case: [{kind, account, principal}].
  makers jsonb NOT NULL DEFAULT '[]',
  state text NOT NULL CHECK (state IN ('proposed', 'adopted', 'approved', 'running', 'done', 'failed', 'rejected', 'withdrawn', 'expired')),
  hash text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  version integer NOT NULL DEFAULT 1,
  -- Of its running: how often it was tried, who holds it until when, and what came of it.
  attempts integer NOT NULL DEFAULT 0,
  held_until timestamptz,
  before jsonb,
  after jsonb,
  outcome text,
  error text,
  CHECK (origin = 'human' OR state IN ('proposed', 'expired') OR cardinality(editors) > 0)
);
CREATE INDEX proposals_incident ON closewatch.proposals (incident, created_at);
CREATE INDEX proposals_state ON closewatch.proposals (state, updated_at);
-- The same thing about the same incident waits once.
CREATE UNIQUE INDEX proposals_once ON closewatch.proposals (incident, action, md5(parameters::text))
  WHERE state IN ('proposed', 'adopted', 'approved', 'running');

CREATE TABLE closewatch.approvals (
  proposal text NOT NULL REFERENCES closewatch.proposals,
  number integer NOT NULL,
  hash text NOT NULL,
  approver text NOT NULL,
  approver_kind text NOT NULL DEFAULT 'human' CHECK (approver_kind = 'human'),
  roles text[] NOT NULL,
  at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (proposal, number),
  FOREIGN KEY (approver, approver_kind) REFERENCES closewatch.principals (id, kind)
);

CREATE FUNCTION closewatch.check_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wanted closewatch.proposals;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.used_at IS NOT NULL OR (NEW.proposal, NEW.number, NEW.hash, NEW.approver, NEW.at, NEW.expires_at)
      IS DISTINCT FROM (OLD.proposal, OLD.number, OLD.hash, OLD.approver, OLD.at, OLD.expires_at) THEN
      RAISE EXCEPTION 'an approval is used once, and otherwise stands' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  SELECT * INTO STRICT wanted FROM closewatch.proposals WHERE id = NEW.proposal;
  IF NEW.hash <> wanted.hash THEN
    RAISE EXCEPTION 'the approval is of something else' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.approver = ANY (wanted.editors) OR EXISTS (
    SELECT FROM jsonb_array_elements(wanted.makers) AS maker
    WHERE maker->>'principal' = NEW.approver OR (maker->>'kind' = 'human' AND maker->>'principal' IS NULL)) THEN
    RAISE EXCEPTION 'who made it, or what it is about, does not approve it' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.used_at IS NOT NULL THEN
    RAISE EXCEPTION 'an approval is given before it is used' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approvals_checked BEFORE INSERT OR UPDATE ON closewatch.approvals
  FOR EACH ROW EXECUTE FUNCTION closewatch.check_approval();
CREATE TRIGGER approvals_stay BEFORE DELETE ON closewatch.approvals
  FOR EACH ROW EXECUTE FUNCTION closewatch.refuse_change();

-- Documents that were put on the accrual list.
CREATE TABLE closewatch.accruals (
  exception text PRIMARY KEY REFERENCES closewatch.exceptions,
  proposal text NOT NULL REFERENCES closewatch.proposals,
  company text NOT NULL,
  amount text,
  currency text,
  at timestamptz NOT NULL
);

-- Exceptions that were waived: they stand, and hold up nothing until a date.
CREATE TABLE closewatch.waivers (
  exception text PRIMARY KEY REFERENCES closewatch.exceptions,
  proposal text NOT NULL REFERENCES closewatch.proposals,
  reason text NOT NULL,
  until timestamptz NOT NULL,
  at timestamptz NOT NULL,
  ended_at timestamptz
);

-- The worker that carries out: it reads what was decided, says what came of it, and can decide nothing itself. Roles belong to a whole
-- server; who may not make one has it made by its administrator (docs/security.md).
DO $$
BEGIN
  -- Another database of the server may make it at the same time.
  BEGIN
    CREATE ROLE closewatch_executor NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
  END;
  BEGIN
    EXECUTE format('GRANT closewatch_executor TO %I', current_user);
  EXCEPTION WHEN undefined_object OR unique_violation OR insufficient_privilege OR internal_error THEN NULL;
  END;
END $$;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'closewatch_executor') THEN
    GRANT USAGE ON SCHEMA closewatch TO closewatch_executor;
    GRANT SELECT ON closewatch.proposals, closewatch.approvals, closewatch.principals, closewatch.identities, closewatch.incidents,
      closewatch.exceptions, closewatch.audit, closewatch.change_log, closewatch.settings TO closewatch_executor;
    GRANT UPDATE (state, version, updated_at, attempts, held_until, before, after, outcome, error) ON closewatch.proposals TO closewatch_executor;
    GRANT UPDATE (used_at) ON closewatch.approvals TO closewatch_executor;
    GRANT INSERT ON closewatch.audit, closewatch.change_log TO closewatch_executor;
    GRANT SELECT, INSERT ON closewatch.accruals TO closewatch_executor;
    GRANT SELECT, INSERT, UPDATE ON closewatch.waivers TO closewatch_executor;
    GRANT UPDATE (state, closed_at, updated_at, notify) ON closewatch.exceptions TO closewatch_executor;
  END IF;
END $$;

-- Tokens with which people are let in: only their SHA-256 is stored.
CREATE TABLE closewatch.principal_tokens (
  token_hash text PRIMARY KEY,
  principal text NOT NULL REFERENCES closewatch.principals,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);

-- Whether the actions of an assessment were proposed.
ALTER TABLE closewatch.assessments ADD COLUMN proposed boolean NOT NULL DEFAULT false;
CREATE INDEX assessments_to_propose ON closewatch.assessments (created_at) WHERE NOT proposed;
