-- When an unanswered obligation is judged again though nothing new came: its severity rises, or its window has run empty.
ALTER TABLE closewatch.obligations ADD COLUMN revisit_ns bigint;
UPDATE closewatch.obligations
SET revisit_ns = least(due_ns::numeric + 3 * (due_ns - anchor_ns)::numeric + 1, 9223372036854775807)
WHERE state IN ('open', 'indeterminate') AND due_ns > anchor_ns;
CREATE INDEX obligations_revisit ON closewatch.obligations (revisit_ns)
  WHERE state IN ('open', 'indeterminate') AND revisit_ns IS NOT NULL;
