-- Who stands behind the party keys of events that hold no names, such as the lines of bank statements: names live here
-- and nowhere else, accounts are masked here too.
CREATE TABLE closewatch.parties (
  company text NOT NULL,
  party_key text NOT NULL,
  name text,
  account text,
  source text NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (company, party_key)
);
