-- Which company a refused event is of, when it says so; and the open letters of one event, which are settled when the
-- event is accepted at last.
ALTER TABLE closewatch.dead_letters ADD COLUMN company text;
-- Names that no index has room for name nothing that can come again.
UPDATE closewatch.dead_letters SET event_id = NULL WHERE octet_length(event_id) > 1024;
UPDATE closewatch.dead_letters SET source = left(source, 250) WHERE octet_length(source) > 1024;
CREATE INDEX dead_letters_event ON closewatch.dead_letters (source, event_id)
  WHERE state = 'open' AND event_id IS NOT NULL;
