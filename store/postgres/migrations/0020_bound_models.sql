-- What the language model used, day by day (UTC) and company by company; company '*' is all of them together.
CREATE TABLE closewatch.model_usage (
  day date NOT NULL,
  company text NOT NULL,
  tokens bigint NOT NULL DEFAULT 0,
  -- In millionths of the currency in which the price is given.
  cost bigint NOT NULL DEFAULT 0,
  calls integer NOT NULL DEFAULT 0,
  PRIMARY KEY (day, company)
);

-- Answers by the hash of what was asked: evidence, prompt, schema and model.
CREATE TABLE closewatch.model_answers (
  key text PRIMARY KEY,
  reply jsonb NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX model_answers_at ON closewatch.model_answers (at);

-- What people say of assessments: they become cases with which triage is scored.
CREATE TABLE closewatch.corrections (
  assessment text PRIMARY KEY REFERENCES closewatch.assessments,
  category text NOT NULL,
  actions text[] NOT NULL DEFAULT '{}',
  comment text,
  by text NOT NULL,
  at timestamptz NOT NULL
);
