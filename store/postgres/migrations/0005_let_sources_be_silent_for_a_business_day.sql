-- How long a source may say nothing: empty means one business day of its company, which no number of hours is.
ALTER TABLE closewatch.sources ALTER COLUMN silence_ms DROP NOT NULL;
ALTER TABLE closewatch.sources ALTER COLUMN silence_ms DROP DEFAULT;
UPDATE closewatch.sources SET silence_ms = NULL WHERE silence_ms = 86400000;
