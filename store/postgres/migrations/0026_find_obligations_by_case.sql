-- An obligation is found again by one key: its group's, or that of the document that started it. Its other keys lead there through
-- the events. What was answered while nobody had asked is kept no longer, as what is fine when it is first seen never was.
ALTER TABLE closewatch.obligations ADD COLUMN case_key text COLLATE "C" NOT NULL DEFAULT '';
UPDATE closewatch.obligations AS o SET case_key = coalesce(
  (SELECT min(join_key) FROM closewatch.obligation_keys
    WHERE obligation = o.id AND (o.source = '' OR left(join_key, 1) = '~')),
  'subject:' || replace(replace(o.source, '%', '%25'), ':', '%3A') || ':' || o.subject);
DROP TABLE closewatch.obligation_keys;
DELETE FROM closewatch.obligations AS o WHERE state IN ('satisfied', 'voided')
  AND NOT EXISTS (SELECT FROM closewatch.exceptions WHERE exceptions.id = o.id);
CREATE INDEX obligations_case ON closewatch.obligations (case_key);
-- Those that wait for nobody are many, and asked for only by their time or their case.
DROP INDEX closewatch.obligations_rule;
CREATE INDEX obligations_unanswered ON closewatch.obligations (rule, company)
  WHERE state IN ('open', 'indeterminate');
