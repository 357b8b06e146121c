-- Which company a refused event is of, when it says so; and the open letters of one event, which are settled when the
-- event is accepted at last.
ALTER TABLE closewatch.dead_letters ADD COLUMN company text;
CREATE INDEX dead_letters_event ON closewatch.dead_letters (source, event_id)
  WHERE state = 'open' AND event_id IS NOT NULL;
