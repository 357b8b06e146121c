-- The companies that the holder of a token may send for; null: all.
ALTER TABLE closewatch.ingest_tokens ADD COLUMN companies text[] CHECK (cardinality(companies) > 0);
