-- What came of each stream of each source, telemetry included (company ''). Watermarks that rules depend on are in
-- sources, which this never adds to: so nothing is judged by telemetry.
CREATE TABLE closewatch.intake (
  source text NOT NULL,
  company text NOT NULL,
  stream text NOT NULL,
  domain text NOT NULL DEFAULT 'transactional'
    CHECK (domain IN ('master', 'transactional', 'derived', 'telemetry')),
  lateness_ms bigint NOT NULL DEFAULT 600000 CHECK (lateness_ms >= 0),
  silence_ms bigint CHECK (silence_ms >= 0),
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_event_ns bigint,
  last_arrival_at timestamptz,
  records bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  known bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (source, company, stream)
);

-- The same by the minute for two hours and by the hour for two days: rates cost the same however long the history is.
CREATE TABLE closewatch.source_rates (
  source text NOT NULL,
  company text NOT NULL,
  stream text NOT NULL,
  width text NOT NULL CHECK (width IN ('minute', 'hour')),
  at timestamptz NOT NULL,
  records bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  known bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (source, company, stream, width, at)
);
CREATE INDEX source_rates_old ON closewatch.source_rates (width, at);

-- What came and is not among the data, by the hour: how many and why, never what was in it. Company '': not known.
CREATE TABLE closewatch.losses (
  source text NOT NULL,
  company text NOT NULL,
  stream text NOT NULL,
  reason text NOT NULL,
  hour timestamptz NOT NULL,
  records bigint NOT NULL DEFAULT 0,
  last_at timestamptz NOT NULL,
  last_detail text,
  PRIMARY KEY (source, company, stream, reason, hour)
);
CREATE INDEX losses_hour ON closewatch.losses (hour);

-- What the delays of live data tell of a sender's clock, over the minutes from from_at to to_at.
CREATE TABLE closewatch.source_clocks (
  source text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('in-step', 'ahead', 'late-or-behind', 'unknown')),
  skew_ms bigint NOT NULL,
  confidence text NOT NULL CHECK (confidence IN ('low', 'high')),
  records bigint NOT NULL,
  from_at timestamptz NOT NULL,
  to_at timestamptz NOT NULL
);
