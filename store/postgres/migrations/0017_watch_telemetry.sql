-- What objectives counted, minute by minute, for as long as their longest window looks back.
CREATE TABLE closewatch.objective_minutes (
  objective text NOT NULL,
  minute bigint NOT NULL,
  total bigint NOT NULL,
  bad bigint NOT NULL,
  PRIMARY KEY (objective, minute)
);

-- Errors that services told, in words without what changes from one to the next.
CREATE TABLE closewatch.error_signatures (
  objective text NOT NULL,
  service text NOT NULL,
  signature text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  total bigint NOT NULL,
  -- How many a minute are usual: a mean that forgets by half in a day.
  rate double precision NOT NULL,
  PRIMARY KEY (objective, service, signature)
);
