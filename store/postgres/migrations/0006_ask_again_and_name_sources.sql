-- A question to the model that failed for a passing reason is put again: how often it was asked, and when it is next.
ALTER TABLE closewatch.assessments ADD COLUMN asked integer NOT NULL DEFAULT 0 CHECK (asked >= 0);
ALTER TABLE closewatch.assessments ADD COLUMN ask_again_at timestamptz;
CREATE INDEX assessments_to_ask_again ON closewatch.assessments (ask_again_at) WHERE ask_again_at IS NOT NULL;

-- Spans come later than the events they belong to: an open incident is assessed once more some minutes after it opened.
ALTER TABLE closewatch.incidents ADD COLUMN looked_again boolean NOT NULL DEFAULT false;
CREATE INDEX incidents_to_look_at_again ON closewatch.incidents (opened_at) WHERE state = 'open' AND NOT looked_again;

-- The source of each of an exception's events, in their order: an id names an event only within its source.
ALTER TABLE closewatch.exceptions ADD COLUMN event_sources text[] NOT NULL DEFAULT '{}';
