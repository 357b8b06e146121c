-- The id is the hash of exactly these columns: the index over them said nothing more, and had no room for long names.
ALTER TABLE closewatch.obligations
  DROP CONSTRAINT obligations_rule_company_source_subject_occurrence_key;

-- For whom a refused event came, by what its token speaks for: open letters are limited by sender, for senders name
-- their sources as they like.
ALTER TABLE closewatch.dead_letters ADD COLUMN sender text NOT NULL DEFAULT '';
CREATE INDEX dead_letters_sender ON closewatch.dead_letters (sender) WHERE state = 'open';
