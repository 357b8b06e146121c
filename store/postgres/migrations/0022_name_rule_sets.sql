-- Under which rules a pass judged: the SHA-256 of their definitions. Rows of before do not know.
ALTER TABLE closewatch.control_runs ADD COLUMN rule_set text NOT NULL DEFAULT '';
